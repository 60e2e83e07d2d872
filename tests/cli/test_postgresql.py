"""Commands on a PostgreSQL database: where it is comes from the configuration, its password from its place."""

import subprocess
import sys

import pytest

from tests import postgres as postgresql
from tests.cli.given import Bench
from tests.cli.test_doctor import found
from tests.postgres import Server

pytestmark = pytest.mark.traced


@pytest.fixture
def address(bench: Bench, postgres: Server) -> str:
    address = postgres.database().replace("bridge@", "bridge:{password}@")
    bench.configure(database=address, database_password="canary-token-1")
    return address


def test_migrate_makes_the_tables_and_commands_find_them(bench: Bench, address: str) -> None:
    done = bench("messages", "list")
    assert done.code == 1
    assert f"there is no database at {address} yet" in done.err
    assert bench("migrate").out.endswith("made new\n")
    assert bench("migrate").out.startswith(f"{address}: schema ")
    assert bench("messages", "list", "--json").objects == []


def test_doctor_looks_before_it_writes(bench: Bench) -> None:
    with postgresql.running(durable=True) as server:
        address = server.database()
        bench.configure(database=address)
        verdict, say = found(bench)["database"]
        assert (verdict, say.endswith("is empty: the first start makes its tables")) == ("ok", True)
        bench("migrate")
        assert found(bench)["database"] == ("ok", f"{address} is writable and up to date")
        server.stop()
        assert found(bench)["database"][0] == "fault"


def test_doctor_says_when_a_power_cut_would_lose_mails(bench: Bench, address: str) -> None:
    verdict, say = found(bench)["database"]
    assert verdict == "fault"
    assert "fsync = off and full_page_writes = off" in say


def test_a_server_that_is_not_there_is_told(bench: Bench) -> None:
    bench.configure(database="postgresql://bridge@127.0.0.1:1/bridge")
    for command in (("migrate",), ("messages", "list"), ("serve",)):
        done = bench(*command)
        assert done.code == 1
        assert "cannot reach the database" in done.err


def test_psycopg_is_loaded_for_postgresql_alone(bench: Bench) -> None:
    code = "import sys; from bridge.cli import main; main(sys.argv[1:]); print('psycopg' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, "migrate", "-c", str(bench.config)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("False\n")
