"""The SMTP users' file: read with every mistake, written whole, for its owner alone, by two at once without loss."""

import os
import stat
import threading
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from bridge.config import load_users, remove_user, set_user, user_name
from bridge.errors import ConfigError
from tests.config.keys import certificate, pem
from tests.config.sample import changed, said

SALT = b"the same each time"  # tests run in several processes: they must be called alike in all of them
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("geheim", salt=SALT)
NO_LOGIN = "17:5: senders[0].proof: warning: nobody can log in: no listener has tls: starttls or implicit"


def test_users_are_written_read_changed_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "users.yaml"
    assert load_users(path) == {}
    set_user(path, "Clinic-Relay", HASH)
    set_user(path, "Ann@Example.COM", HASH)
    assert load_users(path) == {"ann@example.com": HASH, "clinic-relay": HASH}
    other = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("other")
    set_user(path, "clinic-relay", other)
    assert load_users(path)["clinic-relay"] == other
    assert remove_user(path, "CLINIC-relay") is True
    assert remove_user(path, "clinic-relay") is False
    assert remove_user(path, "ann@example.com") is True
    assert load_users(path) == {}


def test_only_its_owner_may_read_the_file_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "users.yaml"
    path.write_text("users: {}\n")
    path.chmod(0o644)
    set_user(path, "ann", HASH)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["users.yaml"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_that_root_changes_stays_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "users.yaml"
    path.write_text("users:\n")
    os.chown(path, 1234, 1235)
    set_user(path, "ann", HASH)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1235)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(("folder_mode", "mode"), [(0o750, 0o640), (0o755, 0o600), (0o700, 0o600)])
def test_what_root_writes_into_the_services_folder_can_be_read_by_its_group_alone(
    tmp_path: Path, folder_mode: int, mode: int
) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    os.chown(folder, 0, 1235)
    folder.chmod(folder_mode)
    path = folder / "users.yaml"
    for name in ("ann", "bob"):
        set_user(path, name, HASH)
        about = path.stat()
        assert (about.st_uid, about.st_gid, stat.S_IMODE(about.st_mode)) == (0, 1235, mode), name


def test_two_who_write_at_once_lose_no_user(tmp_path: Path) -> None:
    path = tmp_path / "users.yaml"
    names = [f"user{index}" for index in range(16)]
    threads = [threading.Thread(target=set_user, args=(path, name, HASH)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(load_users(path)) == sorted(names)


@pytest.mark.parametrize("name", ["", "a b", "ann@", "@b", "a\n", "é", "ann@b@c", "x" * 65, "{}"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="is no user name") as error:
        set_user(tmp_path / "users.yaml", name, HASH)
    assert str(error.value).isprintable()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "bad", ["", "geheim", HASH + "\n", HASH.replace("argon2id", "argon2i"), '$argon2id$"x']
)
def test_only_an_argon2id_hash_is_written(tmp_path: Path, bad: str) -> None:
    with pytest.raises(ConfigError) as error:
        set_user(tmp_path / "users.yaml", "ann", bad)
    assert str(error.value) == "a user needs an argon2id hash"


@given(st.from_regex(r"[a-z0-9._-]{1,64}", fullmatch=True))
def test_any_plain_name_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-users.yaml"
    path.unlink(missing_ok=True)
    set_user(path, name, HASH)
    assert load_users(path) == {user_name(name): HASH}


@pytest.mark.parametrize("text", ["", "\n", "users:\n", "users: {}\n", "# nobody\nusers:\n"])
def test_a_file_may_hold_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / "users.yaml").write_text(text)
    assert load_users(tmp_path / "users.yaml") == {}


NO_HASH = "must hold one key, hash, an argon2id hash: `smsbridge user passwd` makes it"
NO_CAPITALS = "must be written in small letters"
NO_NAME = "is no user name: write a mail address, or letters, digits, dots and dashes"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a", ["1:1: must hold the one key users:"]),
        ("user: {}", ["1:1: must hold the one key users:"]),
        ("users: {}\nmore: 1", ["1:1: must hold the one key users:"]),
        ("users: [a]", ["1:8: users: must be a mapping of names"]),
        ("users: {ann: geheim}", [f"1:9: users.ann: {NO_HASH}"]),
        ("users: {ann: {hash: geheim}}", [f"1:9: users.ann: {NO_HASH}"]),
        ("users: {ann: {hash: 5}}", [f"1:9: users.ann: {NO_HASH}"]),
        (f"users: {{ann: {{hash: '{HASH}', x: 1}}}}", [f"1:9: users.ann: {NO_HASH}"]),
        ("users:\n  Ann: {}\n  'a b': {}", [f"2:3: users.Ann: {NO_CAPITALS}: ann", f"3:3: users.a b: {NO_NAME}"]),
        ("users: {ann: }\nusers: }", ["2:8: a value is missing here, or a bracket is not closed"]),
        (b"\xff", ["1:1: is not UTF-8"]),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_line_by_line_and_never_written_over(
    tmp_path: Path, text: str | bytes, expected: list[str]
) -> None:
    path = tmp_path / "users.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for act in (load_users, lambda file: set_user(file, "x", HASH), lambda file: remove_user(file, "x")):
        with pytest.raises(ConfigError) as error:
            act(path)
        assert str(error.value).splitlines() == [f"{path}:{line}" for line in expected]
    assert os.listdir(tmp_path) == ["users.yaml"]
    assert "geheim" not in str(error.value)


def test_mistakes_of_the_users_file_are_mistakes_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "users.yaml").write_text("users: {ann: geheim}")
    text = changed("smtp:\n", "smtp:\n  users: users.yaml\n")
    assert said(tmp_path, text) == [f"5:10: smtp.users: {tmp_path / 'users.yaml'}:1:9: users.ann: {NO_HASH}"]


def test_a_rule_may_name_only_users_that_are_there(tmp_path: Path) -> None:
    set_user(tmp_path / "users.yaml", "ann", HASH)
    text = changed("proof: [network]", "proof: [network, auth]\n    users: [Ann, bob]")
    assert said(tmp_path, text.replace("smtp:\n", "smtp:\n  users: users.yaml\n")) == [
        NO_LOGIN,
        "18:18: senders[0].users[1]: there is no SMTP user bob: add it with `smsbridge user add --smtp bob`",
    ]


@pytest.mark.parametrize(("tls", "expected"), [("none", [NO_LOGIN]), ("starttls", []), ("implicit", [])])
def test_a_rule_for_logins_needs_a_listener_with_tls_on_loopback_too(
    tmp_path: Path, tls: str, expected: list[str]
) -> None:
    set_user(tmp_path / "users.yaml", "ann", HASH)
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "tls.crt").write_bytes(certificate(key))
    (tmp_path / "tls.key").write_bytes(pem(key))
    text = changed("proof: [network]", "proof: [network, auth]")
    text = text.replace("tls: none", f"tls: {tls}").replace("smtp:\n", "smtp:\n  users: users.yaml\n")
    if tls != "none":
        text = text.replace("smtp:\n", "smtp:\n  certificate: tls.crt\n  key: tls.key\n")
    assert said(tmp_path, text) == expected


def test_a_plain_listener_that_others_reach_offers_no_login(tmp_path: Path) -> None:
    set_user(tmp_path / "users.yaml", "ann", HASH)
    text = changed("127.0.0.1", "0.0.0.0").replace("smtp:\n", "smtp:\n  users: users.yaml\n")
    assert said(tmp_path, text) == [
        "7:43: smtp.listen[0].tls: warning: no AUTH is offered here: passwords would travel in the clear"
    ]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in ("nowhere", "file"):
        with pytest.raises(
            ConfigError, match=r"users\.yaml: cannot be written: (no such file|not a directory)"
        ):
            set_user(tmp_path / folder / "users.yaml", "ann", HASH)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "users.yaml"
    set_user(path, "ann", HASH)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="cannot be written: no space left on device"):
        set_user(path, "bob", HASH)
    assert os.listdir(tmp_path) == ["users.yaml"]
    assert list(load_users(path)) == ["ann"]
