"""`check-config`, `schema` and `migrate`."""

import json
import sqlite3
from pathlib import Path

from bridge.store.schema import newest
from tests.cli.given import Bench, vendor


def test_every_mistake_stands_on_a_line_with_its_place(bench: Bench) -> None:
    bench.configure(region="XX", colour="red", vendor=vendor("http://127.0.0.1:9", settle="10s"))
    done = bench.run("check-config", str(bench.config))
    assert done.code == 78
    assert done.out == ""
    places = [line.split(": ")[:2] for line in done.err.splitlines() if ": warning: " not in line]
    assert sorted(key for _, key in places) == ["colour", "region", "vendor.settle"]
    for place, key in places:
        number = int(place.removeprefix(f"{bench.config}:").partition(":")[0])
        assert key.rpartition(".")[2] in bench.config.read_text().splitlines()[number - 1]


def test_warnings_are_printed_and_the_configuration_is_ok(bench: Bench) -> None:
    bench.configure(vendor=vendor("http://127.0.0.1:9", mode="test"))
    done = bench.run("check-config", str(bench.config))
    assert (done.code, done.out) == (0, f"{bench.config}: ok\n")
    assert "vendor.mode: warning: test: no SMS reaches a phone" in done.err


def test_a_file_that_is_not_there_is_a_mistake_of_the_configuration(bench: Bench) -> None:
    done = bench.run("check-config", "nowhere.yaml")
    assert done.code == 78
    assert done.err.startswith("nowhere.yaml:1:1: ")


def test_the_schema_describes_the_keys_of_the_configuration(bench: Bench) -> None:
    done = bench.run("schema")
    schema = json.loads(done.out)
    assert done.code == 0
    assert schema["type"] == "object"
    assert {"domains", "vendor", "senders", "smtp", "outbox"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False


def test_migrate_makes_a_database_and_then_has_nothing_to_do(bench: Bench) -> None:
    path = bench.folder / "bridge.db"
    assert bench("migrate").out == f"{path}: schema {newest()}, made new\n"
    assert bench("migrate").out == f"{path}: schema {newest()}, up to date already\n"


def test_a_newer_database_is_left_alone(bench: Bench) -> None:
    bench("migrate")
    _sql(bench.folder / "bridge.db", "PRAGMA user_version = 99")
    for command in (("migrate",), ("messages", "list"), ("serve",)):
        done = bench(*command)
        assert done.code == 1
        assert "written by a newer version" in done.err


def test_the_database_of_something_else_is_left_alone(bench: Bench) -> None:
    _sql(bench.folder / "bridge.db", "CREATE TABLE bills (id)")
    done = bench("migrate")
    assert done.code == 1
    assert "something else" in done.err


def test_a_database_that_is_no_database_or_in_no_folder_is_told(bench: Bench) -> None:
    (bench.folder / "bridge.db").write_bytes(b"no database, only text" * 100)
    assert bench("migrate").code == 1
    bench.configure(database=f"sqlite://{bench.config / 'bridge.db'}")
    done = bench("migrate")
    assert done.code == 1
    assert "cannot make the folder" in done.err


def _sql(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.close()
