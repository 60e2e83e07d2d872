"""A person asks to be forgotten while the service runs: no octet of them is left in its database, and it goes on."""

from pathlib import Path

import pytest

from bridge.simulator import Settings
from tests.flow.mails import hand_in, mail
from tests.flow.running import command, serve, wait_for, world, write_config
from tests.postgres import Server
from tests.store.test_wiped import dump

TEXT = "the canary is ill"
ANSWER = "canary feels better"
CANARIES = (b"421777888", b"421 777 888", b"88877712416", b"canary is ill", b"canary feels", b"Y2FuYXJ5")


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_person_is_forgotten_beside_the_running_service(
    tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite://{tmp_path / 'bridge.db'}"
    if engine == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        url = server.database()

    def octets() -> bytes:
        if engine == "postgresql":
            return dump(url)
        return b"".join(file.read_bytes() for file in tmp_path.glob("bridge.db*"))

    with world(Settings(port=0, delivery_delay_ms=50, magic=False)) as (vendor, smarthost):
        running = serve(write_config(tmp_path, vendor, smarthost, database=url, retention={"text": "30d"}))
        vendor.tell(running.hook)
        hand_in(running.smtp, mail(TEXT, "0421777888@sms.local", subject="Re: canary is ill"))
        wait_for("its report", lambda: smarthost.about(TEXT))
        vendor.reply("+61421777888", ANSWER)
        wait_for("the answer", lambda: smarthost.about(ANSWER))
        before = octets()
        assert [canary for canary in CANARIES[:1] + CANARIES[2:5] if canary not in before] == []

        def forgotten() -> bool:
            done = command(
                "purge", "--number", "-", "--rewrite", "-c", str(running.config), stdin="0421777888\n"
            )
            assert done.returncode == 0 or "under way" in done.stderr, done.stderr
            return done.returncode == 0

        wait_for("nothing to be under way", forgotten)
        after = octets()
        assert [canary for canary in CANARIES if canary in after] == []
        assert running.messages() == []
        hand_in(running.smtp, mail("and on it goes"))
        wait_for("the next report", lambda: smarthost.about("and on it goes"))
        assert running.stop() == 0
        assert not [line for line in running.lines if "Traceback" in line]
