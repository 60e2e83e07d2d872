"""The server as a whole: caps, deadlines, faults of ours, shutting down; over real sockets and a real store."""

import asyncio
import contextlib
import functools
import gc
import logging
import socket
import sqlite3
import ssl
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.decide import Client as DecideClient
from bridge.errors import ConfigError
from bridge.mail_in import Listener, MailIn, Settings, Timeouts
from bridge.mail_in import conversation as conversation_module
from bridge.mail_in.collect import Collector
from bridge.mail_in.connection import Connection
from bridge.mail_in.conversation import Conversation
from tests.mail_in.client import Client
from tests.mail_in.conftest import NETWORK_RULE, POLICY, STRANGERS, Running, Starter, until

MAIL = b"From: ups@plant.example\r\nMessage-ID: <1@plant.example>\r\n\r\nPower is out\r\n"
NUMBER = "0421000001@sms.local"


async def send(port: int, mail: bytes = MAIL, *recipients: str, **options: Any) -> str:
    """One mail over a connection of its own; the answer to it."""

    def talk() -> str:
        with Client(port) as client:
            client.envelope(*(recipients or (NUMBER,)), **options)
            answer = client.mail(mail)
            client.say("QUIT")
            return answer

    return await asyncio.to_thread(talk)


async def test_the_answer_tells_what_was_taken_and_what_was_not(start: Starter) -> None:
    server = await start()
    assert server.mail_in.listening
    assert (await send(server.port)).endswith(": 1 SMS queued, 1 segment")
    assert (await send(server.port)).endswith(": 1 SMS already taken, not sent again")
    assert [sms.number for sms in await server.sms()] == ["+61421000001"]


@pytest.mark.threat(6, "floods that kept others out", of="floods")
async def test_a_thousand_recipients_are_not_held(start: Starter) -> None:
    server = await start()

    def talk() -> list[str]:
        with Client(server.port) as client:
            return client.envelope(*([NUMBER] * 150))

    answers = await asyncio.to_thread(talk)
    assert answers.count("250 2.1.5 OK") == 100
    assert set(answers[100:]) == {"452 4.5.3 too many recipients; send the rest in another mail"}


async def test_more_numbers_than_the_rule_allows_are_refused_for_good(start: Starter) -> None:
    policy = replace(
        POLICY, rules=(replace(NETWORK_RULE, limits=replace(NETWORK_RULE.limits, recipients=2)),)
    )
    server = await start(policy=policy)

    def talk() -> list[str]:
        with Client(server.port) as client:
            return client.envelope(*(f"042100000{n}@sms.local" for n in (1, 2, 3)))

    assert (await asyncio.to_thread(talk))[2] == "550 5.5.3 at most 2 numbers per mail"


@pytest.mark.threat(6, "floods that kept others out", of="floods")
async def test_connections_are_capped_with_some_kept_for_network_senders(start: Starter) -> None:
    strangers = await start(policy=STRANGERS, max_connections=4, reserved=2, max_per_address=100)
    network = await start(max_connections=4, reserved=2, max_per_address=100)
    for server, room in ((strangers, 2), (network, 4)):

        def talk(port: int = server.port, room: int = room) -> None:
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(Client(port)) for _ in range(room)]
                for client in clients:
                    assert client.answer().startswith("220")
                with Client(port) as late:
                    assert late.line() == "421 4.3.2 too many connections; please try again later"
                    assert late.line() == ""

        await asyncio.to_thread(talk)
        await until(functools.partial(_empty, server))
        with Client(server.port) as again:
            assert (await asyncio.to_thread(again.answer)).startswith("220")


def _empty(server: Running) -> bool:
    return server.mail_in.open_connections == 0


@pytest.mark.threat(6, "floods that kept others out", of="floods")
async def test_connections_of_one_address_are_capped(start: Starter) -> None:
    server = await start(max_per_address=2)

    def talk() -> str:
        with Client(server.port) as one, Client(server.port) as two, Client(server.port) as three:
            assert one.answer()[:3] == two.answer()[:3] == "220"
            return three.line()

    assert await asyncio.to_thread(talk) == "421 4.3.2 too many connections from your address"


@pytest.mark.threat(6, "floods that kept others out", of="floods")
async def test_clients_that_never_finish_a_tls_handshake_count_and_are_cut(start: Starter) -> None:
    server = await start("implicit", max_connections=3, reserved=0, timeouts=Timeouts(handshake_ms=300))
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
    await until(lambda: server.mail_in.open_connections == 3)
    await until(lambda: server.mail_in.open_connections == 0)
    for one in idle:
        one.close()


@pytest.mark.parametrize(
    ("timeouts", "opening"),
    [
        (Timeouts(idle_ms=200), b""),
        (Timeouts(idle_ms=200), b"EHLO"),
        (Timeouts(idle_ms=100_000, session_ms=300), b"HELO c\r\n"),
        (Timeouts(data_ms=300), b"HELO c\r\nMAIL FROM:<a@plant.example>\r\nRCPT TO:<oncall@sms.local>\r\nDATA\r\nX"),
    ],
    ids=["silent", "half a command", "session", "within a mail"],
)  # fmt: skip
async def test_who_is_too_slow_is_told_and_cut(start: Starter, timeouts: Timeouts, opening: bytes) -> None:
    server = await start(timeouts=timeouts)

    def talk() -> list[str]:
        with Client(server.port) as client:
            client.send(opening)
            lines = [client.line()]
            while lines[-1]:
                lines.append(client.line())
            return lines

    assert (await asyncio.to_thread(talk))[-2] == "421 4.4.2 time is up; closing"


async def test_who_goes_on_speaking_is_not_cut(start: Starter) -> None:
    server = await start(timeouts=Timeouts(idle_ms=400))

    def talk() -> float:
        with Client(server.port) as client:
            client.answer()
            began = time.monotonic()
            while time.monotonic() - began < 1.0:
                assert client.say("NOOP") == "250 2.0.0 OK"
                time.sleep(0.02)
            return time.monotonic() - began

    assert await asyncio.to_thread(talk) > 0.9


@pytest.mark.threat(6, "floods that kept others out", of="floods")
async def test_octets_that_drip_do_not_hold_a_mail_open(start: Starter) -> None:
    server = await start(timeouts=Timeouts(data_ms=500))

    def talk() -> str:
        with Client(server.port) as client:
            client.envelope(NUMBER)
            client.say("DATA")
            client.socket.settimeout(0.05)
            while True:
                with contextlib.suppress(TimeoutError):
                    client.send(b"x")
                    return client.line()

    assert await asyncio.to_thread(talk) == "421 4.4.2 time is up; closing"


@pytest.mark.threat(6, "floods that kept others out", of="floods")
async def test_noop_for_ever_is_not_for_ever(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation_module, "MAX_IDLE_COMMANDS", 50)
    server = await start()

    def talk() -> list[str]:
        with Client(server.port) as client:
            client.send(b"NOOP\r\n" * 60)
            return [client.line() for _ in range(53)]

    lines = await asyncio.to_thread(talk)
    assert lines[1:51] == ["250 2.0.0 OK"] * 50
    assert lines[51:] == ["421 4.7.0 too many commands without a mail; closing", ""]


@pytest.mark.threat(4, "answers other than 451", of="mails while nothing could be written")
async def test_a_locked_database_is_a_451_and_the_mail_is_taken_when_it_is_back(
    start: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start()
    blocker = sqlite3.connect(tmp_path / "0.db", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    answer = await send(server.port)
    assert answer == "451 4.3.0 the message store is not available; please try again later"
    blocker.execute("ROLLBACK")
    blocker.close()
    assert (await send(server.port)).startswith("250 2.0.0 ")
    assert len(await server.sms()) == 1


@pytest.mark.threat(4, "answers other than 451", of="mails while nothing could be written")
async def test_a_closed_store_is_a_451_everywhere(start: Starter) -> None:
    server = await start()
    await server.store.close()
    assert (await send(server.port)).startswith("451 4.3.0 ")

    def keyed() -> list[str]:
        with Client(server.port) as client:
            return client.envelope("reply+aaaaaaaaaaaaaaaa@sms.local")

    assert (await asyncio.to_thread(keyed))[0].startswith("451 4.3.0 ")


@pytest.mark.threat(24, "answers that tell of others", of="answers")
async def test_a_fault_of_ours_is_a_constant_451_that_tells_nothing(
    start: Starter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = await start()

    def broken(*_: object) -> None:
        raise ValueError("secret\r\n250 injected \u20ac")

    monkeypatch.setattr(Collector, "finish", broken)
    assert await send(server.port) == "451 4.3.0 a fault of ours; please try again later"
    monkeypatch.undo()
    assert (await send(server.port)).startswith("250 2.0.0 ")


@pytest.mark.threat(4, "answers other than 451", of="mails while nothing could be written")
async def test_a_full_disk_within_a_mail_is_a_451_at_its_end(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.SpooledTemporaryFile", full)
    assert (await send(server.port, MAIL + b"text line\r\n" * 20_000)).startswith("451 4.3.0 ")


@pytest.mark.parametrize(
    ("mail", "answer"),
    [
        (b"x" * 70_000 + b"\r\n", "500 5.5.2 a line of the mail is over 65536 octets"),
        (b"x" * 60_000 + b"\r\n" + b"y" * 60_000 + b"\r\n", "552 5.3.4 the mail is too big"),
        (b"\r\n" * 45_000, "552 5.3.4 the mail has too many lines"),
    ],
)
async def test_a_mail_out_of_bounds_is_refused_at_its_end_and_the_next_is_taken(
    start: Starter, monkeypatch: pytest.MonkeyPatch, mail: bytes, answer: str
) -> None:
    monkeypatch.setattr("bridge.mail_in.collect.MAX_LINES", 40_000)
    server = await start(max_size=100_000)

    def talk() -> tuple[str, str]:
        with Client(server.port) as client:
            client.envelope(NUMBER)
            first = client.mail(b"From: ups@plant.example\r\n\r\n" + mail)
            client.envelope(NUMBER, hello=False)
            return first, client.mail(MAIL)

    first, second = await asyncio.to_thread(talk)
    assert first == answer
    assert second.startswith("250 2.0.0 ")


@pytest.mark.threat(23, "not served", of="ways of honest clients")
async def test_a_line_of_60_kb_of_html_is_taken(start: Starter) -> None:
    server = await start()
    html = b"<p>Alarm zone 3</p>" + b"<!-- " + b"x" * 60_000 + b" -->"
    mail = b"From: panel@plant.example\r\nContent-Type: text/html\r\n\r\n" + html + b"\r\n"
    assert (await send(server.port, mail)).startswith("250 ")
    assert [sms.text for sms in await server.sms()] == ["Alarm zone 3"]


async def test_memory_for_mails_is_bounded_over_all_connections(start: Starter) -> None:
    server = await start(max_memory=512 * 1024)

    def hold(clients: list[Client]) -> None:
        for client in clients:
            client.envelope(NUMBER)
            client.say("DATA")
            client.send(b"From: ups@plant.example\r\n\r\n" + b"some text\r\n" * 30_000)

    with Client(server.port) as one, Client(server.port) as two, Client(server.port) as three:
        await asyncio.to_thread(hold, [one, two, three])
        refused = 0
        for client in (one, two, three):
            await asyncio.to_thread(client.send, b".\r\n")
            refused += (await asyncio.to_thread(client.answer)).startswith("452 4.3.1 ")
        assert refused >= 1
        assert (await send(server.port)).startswith("250 ")


async def test_a_big_mail_is_told_at_mail_when_there_is_no_memory(start: Starter) -> None:
    server = await start(max_memory=100_000)

    def talk() -> list[str]:
        with Client(server.port) as client:
            client.answer()
            client.say("EHLO c")
            return [client.say(f"MAIL FROM:<a@plant.example> SIZE={size}") for size in (1_000_000, 10)]

    answers = await asyncio.to_thread(talk)
    assert answers == ["452 4.3.1 too many mails at once; please try again soon", "250 2.1.0 OK"]


async def test_a_signature_picture_of_megabytes_does_not_count(start: Starter) -> None:
    server = await start(max_memory=600_000)
    picture = (b"QUJD" * 19 + b"\r\n") * 100_000
    mail = (
        b"From: ups@plant.example\r\nContent-Type: multipart/related; boundary=q\r\n\r\n"
        b"--q\r\nContent-Type: text/plain\r\n\r\nLook\r\n--q\r\nContent-Type: image/png\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + picture + b"\r\n--q--\r\n"
    )
    assert (await send(server.port, mail)).startswith("250 ")
    assert [(sms.text) for sms in await server.sms()] == ["Look"]
    lines = await server.lines()
    story = await server.store.show(lines[0].sms.message_id)
    assert story is not None


async def test_a_text_left_out_for_its_size_is_told(start: Starter) -> None:
    server = await start()
    part = b"--q\r\n\r\nwords\r\n" + (b"y" * 98 + b"\r\n") * 30_000
    mail = b"From: ups@plant.example\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n" + part * 4
    answer = await send(server.port, mail)
    assert answer.startswith("250 ")
    assert "left out: " in answer


async def test_a_mail_far_too_big_is_not_read_to_its_end(start: Starter) -> None:
    server = await start(max_size=100_000)

    def talk() -> str:
        with Client(server.port) as client:
            client.envelope(NUMBER)
            client.say("DATA")
            with contextlib.suppress(OSError):
                for _ in range(100):
                    client.send(b"x" * 65_536)
            return client.line()

    assert await asyncio.to_thread(talk) in ("552 5.3.4 the mail is too big", "")


async def test_three_wrong_logins_end_the_connection(
    start: Starter,
    trusting: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("bridge.mail_in.logins.FIRST_DELAY_S", 0.001)
    caplog.set_level(logging.DEBUG)
    server = await start("implicit")

    def talk() -> list[str]:
        with Client(server.port, trusting) as client:
            client.answer()
            client.say("EHLO c")
            tries = [client.say("AUTH PLAIN AGNsaW5pYwBjYW5hcnk=") for _ in range(3)]
            return [*tries, client.line()]

    wrong = "535 5.7.8 user or password is wrong"
    assert await asyncio.to_thread(talk) == [wrong, wrong, "421 4.7.0 too many failed logins; closing", ""]
    for secret in ("canary", "AGNsaW5pYwBjYW5hcnk", "Y2FuYXJ5"):
        assert secret not in caplog.text


async def test_a_login_held_back_too_long_is_told_to_come_later(
    start: Starter, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.mail_in.logins.FIRST_DELAY_S", 30.0)
    server = await start("implicit")

    def talk() -> list[str]:
        with Client(server.port, trusting) as client:
            client.answer()
            client.say("EHLO c")
            return [client.say("AUTH PLAIN AG5vYm9keQBw"), client.say("AUTH PLAIN AG5vYm9keQBw")]

    answers = await asyncio.to_thread(talk)
    assert answers[1] == "454 4.7.0 too many failed logins; please try again later"


async def test_without_users_there_are_no_logins(start: Starter, trusting: ssl.SSLContext) -> None:
    server = await start("implicit", users={})

    def talk() -> tuple[str, str]:
        with Client(server.port, trusting) as client:
            client.answer()
            return client.say("EHLO c"), client.say("AUTH PLAIN AG5vYm9keQBw")

    extensions, answer = await asyncio.to_thread(talk)
    assert "AUTH" not in extensions
    assert answer == "502 5.5.1 there are no logins on this server"


async def test_a_client_that_speaks_no_tls_is_cut_and_others_are_served(start: Starter) -> None:
    server = await start("implicit", "starttls", "none")

    def garbage() -> None:
        with Client(server.ports[0]) as client:
            client.send(b"EHLO plain\r\n")
            client.line()
        with Client(server.ports[1]) as client:
            client.answer()
            client.say("EHLO c")
            client.say("STARTTLS")
            client.send(b"this is no handshake\r\n")
            client.line()

    with contextlib.suppress(UnicodeDecodeError):
        await asyncio.to_thread(garbage)
    assert (await send(server.ports[2])).startswith("250 ")


async def test_shutting_down_tells_idle_clients_and_lets_a_mail_end(start: Starter) -> None:
    server = await start()
    with Client(server.port) as idle, Client(server.port) as busy, Client(server.port) as next_mail:
        for client in (idle, busy, next_mail):
            await asyncio.to_thread(client.envelope, NUMBER)
        assert (await asyncio.to_thread(busy.say, "DATA")).startswith("354")
        draining = asyncio.create_task(server.mail_in.drain(20))
        assert await asyncio.to_thread(idle.answer) == "421 4.3.2 shutting down; please try again soon"
        assert not server.mail_in.listening
        with pytest.raises(OSError, match="refused"):
            await asyncio.to_thread(Client, server.port)
        assert not draining.done()
        await asyncio.to_thread(busy.send, MAIL + b".\r\nMAIL FROM:<a@plant.example>\r\n")
        assert (await asyncio.to_thread(busy.answer)).startswith("250 2.0.0 ")
        assert (await asyncio.to_thread(busy.answer)).startswith("421 4.3.2 shutting down")
        await draining
    assert len(await server.sms()) == 1


async def test_a_client_that_never_ends_is_cut_by_stop(start: Starter) -> None:
    server = await start()
    with Client(server.port) as client:
        await asyncio.to_thread(client.envelope, NUMBER)
        await asyncio.to_thread(client.say, "DATA")
        await server.mail_in.drain(0.05)
        await server.mail_in.stop()
        assert await asyncio.to_thread(client.line) == ""
    assert server.mail_in.open_connections == 0


async def test_a_port_that_is_taken_is_said_plainly_and_nothing_stays_open(start: Starter) -> None:
    server = await start()
    listeners = (Listener("127.0.0.1", 0), Listener("127.0.0.1", server.port))
    second = MailIn(server.store, POLICY, replace(server.settings, listeners=listeners))
    with pytest.raises(
        ConfigError, match=rf"^cannot listen on 127.0.0.1:{server.port} \(SMTP\): address already in use$"
    ):
        await second.start()
    assert not second.listening


async def test_tls_without_a_certificate_is_a_mistake(start: Starter) -> None:
    server = await start()
    settings = Settings((Listener("127.0.0.1", 0, "starttls"),), "gw", "x")
    with pytest.raises(ConfigError, match="certificate"):
        await MailIn(server.store, POLICY, settings).start()


async def test_a_stopped_server_may_be_stopped_again(start: Starter) -> None:
    server = await start()
    await server.mail_in.drain(1)
    await server.mail_in.stop()
    await server.mail_in.stop()
    unstarted = MailIn(server.store, POLICY, server.settings)
    assert unstarted.open_connections == 0
    await unstarted.drain(1)
    await unstarted.stop()


async def test_one_line_is_logged_for_a_mail_with_its_id_and_no_number_or_text(
    start: Starter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bridge.mail_in")
    server = await start()
    answer = await send(server.port)
    records = [record for record in caplog.records if record.message == "mail taken"]
    assert len(records) == 1
    fields = vars(records[0])
    assert fields["id"] == answer.split()[2].rstrip(":")
    assert fields["numbers"] == "+61421•••001"
    assert fields["queued"] == 1
    text = " ".join(str(value) for value in fields.values())
    assert "Power" not in text
    assert "421000001" not in text


async def test_a_refusal_is_logged_with_the_answer_that_the_client_got(
    start: Starter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bridge.mail_in")
    server = await start()
    answer = await send(server.port, MAIL.partition(b"Power")[0])
    assert answer.startswith("550 5.6.0")
    (record,) = [record for record in caplog.records if record.message == "mail refused"]
    assert vars(record)["answer"] == answer


async def test_a_client_that_never_sends_crlf_dot_crlf_is_named_in_the_log(
    start: Starter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bridge.mail_in")
    server = await start()

    def talk() -> None:
        with Client(server.port) as client:
            client.envelope(NUMBER)
            client.say("DATA")
            client.send(b"From: a@plant.example\n\nhi\n.\n")
            client.socket.shutdown(socket.SHUT_WR)
            client.line()

    await asyncio.to_thread(talk)
    await until(lambda: any("never sent CRLF.CRLF" in record.message for record in caplog.records))


async def test_a_command_longer_than_the_buffer_is_skipped_to_its_end(start: Starter) -> None:
    server = await start()

    def talk() -> list[str]:
        with Client(server.port) as client:
            client.send(
                b"NOOP " + b"x" * 300_000 + b"\r\nNOOP\r\n" + b"NOOP " + b"y" * 20_000 + b"\r\nNOOP\r\n"
            )
            return [client.line() for _ in range(5)]

    said = ["500 5.5.2 the command is too long", "250 2.0.0 OK"]
    assert (await asyncio.to_thread(talk))[1:] == said + said


async def test_answers_to_very_many_commands_sent_at_once_are_all_given(start: Starter) -> None:
    server = await start()

    def talk() -> list[str]:
        with Client(server.port) as client:
            client.send(b"NOOP\r\n" * 500 + b"QUIT\r\n")
            return [client.line() for _ in range(503)]

    lines = await asyncio.to_thread(talk)
    assert lines[1:] == ["250 2.0.0 OK"] * 500 + ["221 2.0.0 bye", ""]


async def test_a_fault_outside_any_command_ends_that_conversation_alone(
    start: Starter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = await start()
    real = Connection.line

    async def broken(self: Connection, most: int = 0) -> bytes | None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Connection, "line", broken)
    with Client(server.port) as client:
        assert "secret" not in await asyncio.to_thread(client.line) + await asyncio.to_thread(client.line)
    monkeypatch.setattr(Connection, "line", real)
    assert (await send(server.port)).startswith("250 ")
    assert any(record.message == "conversation failed" for record in caplog.records)


async def test_a_connection_that_slips_in_while_shutting_down_is_told(start: Starter) -> None:
    server = await start()
    house = server.mail_in._house
    assert house is not None
    house.draining = True
    with Client(server.port) as client:
        assert await asyncio.to_thread(client.line) == "421 4.3.2 shutting down; please try again soon"


async def test_what_is_remembered_of_clients_is_bounded(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.mail_in.house._MOST_CLIENTS", 3)
    server = await start()
    house = server.mail_in._house
    assert house is not None
    for number in range(10):
        assert house.standing(DecideClient(f"127.0.0.{number + 1}")).known
        assert house.standing(DecideClient("192.0.2.1")).candidates == ()
    assert len(house._standings) <= 3


async def test_a_connection_is_let_go_of_as_soon_as_it_has_ended(start: Starter) -> None:
    server = await start()
    for _ in range(20):
        await send(server.port, MAIL)
    await until(functools.partial(_empty, server))

    def gone() -> bool:
        gc.collect()
        return not any(isinstance(one, Conversation) for one in gc.get_objects())

    await until(gone)
