"""Every mistake is told at once, one a line, at its place, with what would be right."""

from pathlib import Path

import pytest

from bridge import config
from bridge.errors import ConfigError
from tests.config.sample import ENVIRON, SMALLEST, changed, said, write


def cases(name: str) -> list[list[str]]:
    """The blocks of a file of cases, each as its lines; the first block explains them."""
    blocks = (Path(__file__).parent / name).read_text().split("\n\n")[1:]
    return [block.splitlines() for block in blocks]


def _applied(case: list[str]) -> tuple[str, list[str]]:
    """The configuration that a case makes of the smallest one, and what is to be said about it."""
    old, new, expected = ([line[2:] for line in case if line[0] == mark] for mark in "-+=")
    if old:
        return changed("\n".join(old), "\n".join(new)), expected
    return changed(more="\n".join([*new, ""])), expected


@pytest.mark.parametrize("case", cases("mistakes.txt"), ids=lambda case: case[-1][2:70])
def test_a_mistake_is_told_at_its_place_with_what_would_be_right(tmp_path: Path, case: list[str]) -> None:
    text, expected = _applied(case)
    found = [line for line in said(tmp_path, text) if ": warning: " not in line]
    assert found == [line.replace("{folder}", str(tmp_path)) for line in expected]


def test_every_mistake_of_a_file_is_told_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    text = """\
domains: [sms.local]
region: au
admin: admin@sms.local
databse: x
smtp:
  listen:
    - {address: 0.0.0.0, port: 8090, tls: starttls}
    - {address: 127.0.0.1, port: 99999, tls: none}
http: {url: https://sms.example.com}
vendor:
  sender: application@example.com
  token: {env: NOT_SET}
  accounts: {clinic: {sender: a@b.example, token: t}}
webhook: {secret: short}
senders:
  - match: [ann]
    proof: [auth, dkim]
    users: [ann]
    brand: clinc
    limits: {per_day: 0}
  - match: ["*@example.com"]
    account: clnic
    prefixes: ["+1"]
    reports: none
prefixes: {allow: ["+614"]}
aliases: {oncall: ["12"]}
brands: {clinic: {name: x, colour: red}}
"""
    errors = [line for line in said(tmp_path, text) if "warning: " not in line]
    assert [line.rpartition(" ")[0].split(": ")[:2] for line in errors] == [
        ["2:9", "region"],
        ["3:8", "admin"],
        ["4:1", "databse"],
        ["5:1", "smtp.certificate"],
        ["5:1", "smtp.key"],
        ["8:34", "smtp.listen[1].port"],
        ["9:1", "http.listen.port"],
        ["12:3", "vendor.token"],
        ["14:19", "webhook.secret"],
        ["16:13", "senders[0].match[0]"],
        ["17:19", "senders[0].proof[1]"],
        ["19:12", "senders[0].brand"],
        ["20:23", "senders[0].limits.per_day"],
        ["21:5", "senders[1].proof"],
        ["22:14", "senders[1].account"],
        ["23:16", "senders[1].prefixes[0]"],
        ["27:28", "brands.clinic.colour"],
    ]
    with pytest.raises(ConfigError) as raised:
        config.load(write(tmp_path, text), ENVIRON)
    assert [
        line.removeprefix(f"{tmp_path / 'bridge.yaml'}:") for line in str(raised.value).splitlines()
    ] == errors


def test_no_more_than_a_hundred_mistakes_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    text = changed(more="".join(f"key{index}: 1\n" for index in range(150)))
    with pytest.raises(ConfigError) as raised:
        config.load(write(tmp_path, text), ENVIRON)
    lines = str(raised.value).splitlines()
    assert len(lines) == 101
    assert lines[-1] == "and 50 more"


def test_an_odd_or_endless_key_is_shown_cut_and_in_quotes(tmp_path: Path) -> None:
    assert said(tmp_path, changed(more='"a\\nb": 1\n'))[0].startswith(
        '19:1: "a?b": is no key here: "a?b" is not one'
    )
    shown = "k" * 40 + "..."
    assert said(tmp_path, changed(more="k" * 100 + ": 1\n"))[0].startswith(f'19:1: "{shown}": is no key here')


@pytest.mark.parametrize("case", cases("warnings.txt"), ids=lambda case: case[-1][2:70])
def test_what_will_hurt_is_a_warning_and_no_mistake(tmp_path: Path, case: list[str]) -> None:
    text, expected = _applied(case)
    assert said(tmp_path, text) == [line.replace("{folder}", str(tmp_path)) for line in expected]
    config.load(write(tmp_path, text), ENVIRON)


@pytest.mark.parametrize("harmless", ["10.0.0.0/8", "192.168.0.0/16", "fd00::/8", "127.0.0.1"])
def test_ordinary_networks_are_no_reason_to_warn(tmp_path: Path, harmless: str) -> None:
    assert said(tmp_path, changed("10.20.0.0/16", f"'{harmless}'")) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:8090", "http://[::1]:8090", "http://localhost"])
def test_plain_http_on_loopback_is_no_reason_to_warn(tmp_path: Path, url: str) -> None:
    assert said(tmp_path, changed("https://sms.example.com", url)) == []


def test_an_empty_allowlist_is_a_warning(tmp_path: Path) -> None:
    text = SMALLEST[: SMALLEST.index("senders:")] + "senders: []\nprefixes: {allow: ['+614']}\n"
    assert said(tmp_path, text) == ["14:1: senders: warning: nobody may send: add a rule"]


def test_a_rule_that_asks_for_live_in_a_test_file_is_told_so(tmp_path: Path) -> None:
    lines = said(
        tmp_path,
        changed("vendor:\n", "vendor:\n  mode: test\n").replace("- match", "- mode: live\n    match"),
    )
    assert lines[1] == "16:11: senders[0].mode: warning: vendor.mode is test, which holds for every rule"


def test_a_rules_prefix_that_is_denied_whole_is_a_mistake(tmp_path: Path) -> None:
    text = changed('["+614"]', '["+614"], deny: ["+6149"]').replace(
        "- match", '- prefixes: ["+61491", "+6142"]\n    match'
    )
    assert said(tmp_path, text) == [
        "15:16: senders[0].prefixes[0]: +61491 lies inside prefixes.deny: no number passes"
    ]


def test_networks_without_their_proof_are_a_mistake(tmp_path: Path) -> None:
    text = changed("proof: [network]", "proof: [auth]").replace("smtp:\n", "smtp:\n  users: users.yaml\n")
    errors = [line for line in said(tmp_path, text) if "warning" not in line]
    assert errors == [
        "18:5: senders[0].networks: networks prove nothing without network: add network to proof, or take networks away"
    ]


def test_an_alias_follows_the_number_types_and_region(tmp_path: Path) -> None:
    fixed = "aliases: {desk: ['+6499123456']}\n"
    text = changed('["+614"]', '["+614", "+64"]', more=fixed)
    assert "a fixed line, which is not allowed here" in said(tmp_path, text)[0]
    assert said(tmp_path, text + "number_types: [mobile, fixed]\n") == []
    assert said(tmp_path, text + "number_types: [mobile, sometimes]\n")[0].startswith(
        "20:24: number_types[1]"
    )


def test_a_limit_of_money_in_mode_test_is_a_warning(tmp_path: Path) -> None:
    text = changed("vendor:\n", "vendor:\n  price_per_segment: 0.1\n").replace(
        "  - match", "  - limits: {spend_per_day: 5}\n    mode: test\n    match"
    )
    assert [line for line in said(tmp_path, text) if "money" in line] == [
        "16:29: senders[0].limits.spend_per_day: warning: holds nothing back in mode test: no money is counted"
    ]
