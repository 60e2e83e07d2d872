"""The files that people copy: bridge.yaml names every key and its default, the demo loads, the schema is whole."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from bridge import config
from bridge.config import Config, set_user, yaml_tree
from bridge.config.model import FileModel
from bridge.config.wording import bare, section_of
from bridge.errors import ConfigError
from bridge.rules import Limits
from tests.config.keys import PNG, certificate, pem
from tests.config.sample import ENVIRON, SMALLEST
from tests.config.test_users import HASH

ROOT = Path(__file__).parents[2]
BRIDGE = ROOT / "config" / "bridge.yaml"
KEY_BEHIND_HASH = re.compile(r"^( *)#(?=[^ #])", re.MULTILINE)


def _paths_of(value: Any, under: str = "") -> Iterator[str]:
    """The paths of all keys in a plain tree; entries of lists and free names are ``*``."""
    if isinstance(value, list):
        for item in value:
            yield from _paths_of(item, f"{under}[*]")
    elif isinstance(value, dict):
        for key, item in value.items():
            path = f"{under}.{'*' if under in FREE else key}"
            yield path
            yield from _paths_of(item, path)


def _paths_of_model(annotation: Any, under: str = "") -> Iterator[str]:
    found = bare(annotation)
    model = section_of(found)
    if model:
        for name, field in model.model_fields.items():
            path = f"{under}.{field.alias or name}"
            yield path
            yield from _paths_of_model(field.annotation, path)
    elif get_origin(found) is list:
        yield from _paths_of_model(get_args(found)[0], f"{under}[*]")
    elif get_origin(found) is dict:
        FREE.add(under)
        yield f"{under}.*"
        yield from _paths_of_model(get_args(found)[1], f"{under}.*")


FREE: set[str] = set()
# A rule's own text has the keys of `text`, which are explained there.
KEYS = sorted(path for path in set(_paths_of_model(FileModel)) if not path.startswith(".senders[*].text."))


def _uncommented() -> str:
    return KEY_BEHIND_HASH.sub(r"\1", BRIDGE.read_text())


def test_the_commented_file_names_every_key_and_no_other() -> None:
    root, problems = yaml_tree.compose(_uncommented(), "bridge.yaml")
    assert problems == []
    assert root is not None
    secret_or_token = re.compile(r"\.(env|file)$")
    documented = {path for path in _paths_of(root.plain()) if not secret_or_token.search(path)}
    assert sorted(documented) == KEYS


def test_every_key_of_the_commented_file_has_words_above_it() -> None:
    lines = [line.strip() for line in BRIDGE.read_text().splitlines()]
    keys = [i for i, line in enumerate(lines) if re.match(r"(- )?#?[a-z_\"+]+[0-9]*\"?:", line)]
    bare = [lines[i] for i in keys if not _explained(lines, i)]
    assert bare == []


def _explained(lines: list[str], index: int) -> bool:
    """Whether words, or a key that is explained with it, stand right above a line."""
    while index and lines[index] and not lines[index].startswith("# "):
        index -= 1
    return lines[index].startswith("# ")


def test_the_commented_file_loads_as_it_is_and_says_the_defaults(tmp_path: Path) -> None:
    as_it_is = config.load(BRIDGE, ENVIRON)
    smallest = SMALLEST.replace('["*@example.com"]', '["*@example.com", "*@*.example.com"]')
    smallest = smallest.replace("10.20.0.0/16", "127.0.0.0/8")
    (tmp_path / "bridge.yaml").write_text(smallest)
    assert as_it_is == config.load(tmp_path / "bridge.yaml", ENVIRON)


def test_the_commented_file_loads_with_every_key_set(tmp_path: Path) -> None:
    server = "database: 'postgresql://bridge:{password}@db.example.com/bridge'"
    loaded = _with_files(tmp_path, re.sub(r"(?m)^database: .*", server, _uncommented()))
    assert loaded.database.password is not None
    assert [listener.port for listener in loaded.smtp.listen] == [2525, 25, 465]
    assert loaded.vendor.accounts["clinic"].sender == "clinic@example.com"
    assert loaded.policy.aliases == {"oncall": ("+61491570006", "+61491570156")}
    assert loaded.outbox.smarthost is not None
    assert loaded.outbox.dkim is not None


def _with_files(folder: Path, text: str) -> Config:
    """Loads ``text`` beside every file that it names."""

    key = ec.generate_private_key(ec.SECP256R1())
    (folder / "tls.crt").write_bytes(certificate(key))
    (folder / "tls.key").write_bytes(pem(key))
    (folder / "dkim.pem").write_bytes(pem(ed25519.Ed25519PrivateKey.generate()))
    for home in (folder, folder / "config"):
        (home / "brands" / "clinic").mkdir(parents=True)
        (home / "brands" / "clinic.png").write_bytes(PNG)
        set_user(home / "smtp-users.yaml", "clinic-relay", HASH)
    path = folder / "bridge.yaml"
    upstream = ", upstream" if "\n    - {network: " in text else ""
    text = text.replace("proof: [network]\n", f"proof: [network, auth{upstream}]\n")
    text = text.replace("price_per_segment: 0\n", "price_per_segment: 0.10\n")
    path.write_text(text.replace("/etc/smsbridge/", f"{folder}/"))
    names = re.findall(r"env: (\w+)", text)
    return config.load(path, dict.fromkeys(names, "canary-canary-canary"))


LATER = [
    "29:3: desk.users: not in this version (accounts of the desk): take the key away",
]


def test_the_full_interface_has_each_key_of_a_later_version_refused_at_its_line(tmp_path: Path) -> None:
    text = (Path(__file__).parent / "interface_example.yaml").read_text()
    with pytest.raises(ConfigError) as error:
        _with_files(tmp_path, text)
    assert [
        line.removeprefix(f"{tmp_path / 'bridge.yaml'}:") for line in str(error.value).splitlines()
    ] == LATER


def test_the_interface_loads_without_the_keys_of_a_later_version(tmp_path: Path) -> None:
    text = (Path(__file__).parent / "interface_example.yaml").read_text()
    text = re.sub(r"^  users: config/desk-users.yaml\n", "", text, flags=re.MULTILINE)
    loaded = _with_files(tmp_path, text)
    clinic, ups = loaded.policy.rules
    assert (clinic.brand, clinic.account, clinic.limits.segments, clinic.users) == (
        "clinic",
        "clinic",
        3,
        ("clinic-relay",),
    )
    assert clinic.limits == Limits(20, 3, 30, 300, 1_000, 50_000, 500_000, over="refuse")
    assert ups.limits == Limits(per_hour=60, over="pace")
    assert (loaded.policy.spend_cap, loaded.policy.timezone) == (1_000_000, ZoneInfo("Australia/Sydney"))
    assert (ups.on_unknown, ups.reports.to, ups.text.too_long) == ("resend", "admin@plant.example", "cut")
    assert loaded.vendor.accounts["clinic"].auth_token is not None
    assert loaded.brands["clinic"].logo == PNG
    assert (loaded.policy.price_per_segment, loaded.policy.prices) == (1_000, {"+642": 1_500})
    assert loaded.outbox.smarthost is not None
    assert loaded.outbox.smarthost.user == "user"


def test_the_demo_needs_nothing_and_keeps_to_loopback() -> None:
    path = ROOT / "config" / "demo.yaml"
    assert [p.severity for p in config.check(path, {})] == [
        "warning"
    ]  # no smarthost: its mails are on the desk
    demo = config.load(path, {})
    assert [(one.address, one.port, one.tls) for one in demo.smtp.listen] == [("127.0.0.1", 2525, "none")]
    assert (demo.http.listen.address, demo.http.listen.port) == ("127.0.0.1", 8090)
    assert (demo.desk.listen.address, demo.desk.listen.port) == ("127.0.0.1", 8080)
    assert demo.vendor.send_url.startswith("http://127.0.0.1:8081/")
    assert demo.vendor.rest_url.startswith("http://127.0.0.1:8081/")


def test_the_schema_explains_every_key_and_gives_its_default_as_it_is_written() -> None:
    schema = config.json_schema()
    assert json.loads(json.dumps(schema)) == schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == [
        "domains",
        "region",
        "admin",
        "smtp",
        "http",
        "vendor",
        "webhook",
        "senders",
        "prefixes",
    ]
    for section in [schema, *schema["$defs"].values()]:
        assert section["additionalProperties"] is False
        assert section["description"]
        for name, key in section["properties"].items():
            assert key["description"], name
            assert "default" in key or name in section["required"], name
    vendor = schema["$defs"]["VendorModel"]["properties"]
    assert (vendor["settle"]["default"], vendor["rate"]["default"]) == ("10m", "20/s")
    assert vendor["mode"]["enum"] == ["live", "test"]


def test_the_watch_over_senders_can_be_turned_off(tmp_path: Path) -> None:
    (tmp_path / "bridge.yaml").write_text(f"{SMALLEST}velocity: off\n")
    assert config.load(tmp_path / "bridge.yaml", ENVIRON).velocity is None
    offered = config.json_schema()["properties"]["velocity"]["anyOf"]
    assert [one.get("const") for one in offered] == [None, "off"]


def test_the_schema_offers_a_secret_in_its_three_forms() -> None:
    token = config.json_schema()["$defs"]["VendorModel"]["properties"]["token"]
    text, reference = token["oneOf"]
    assert text["type"] == "string"
    assert set(reference["properties"]) == {"env", "file"}
