"""Proof of order, by strace: fdatasync had returned before 250, POST and 200 were written."""

import socket
from dataclasses import replace

import pytest

from tests.crash import order
from tests.crash.clients import Client, numbers
from tests.crash.strace import SYNCS, Recorder, Traced
from tests.crash.world import world
from tests.flow.running import wait_for

CLIENTS, MAILS, PIPELINED = 4, 8, 6
TOTAL = PIPELINED + CLIENTS * MAILS


def pipelined(port: int, count: int) -> None:
    """Hand in mails as a client does that waits for nothing it need not wait for (RFC 2920)."""
    envelopes = [
        f"MAIL FROM:<jo@clinic.example>\r\nRCPT TO:<{number}@sms.local>\r\nDATA\r\n"
        for number in numbers(count)
    ]
    with socket.create_connection(("127.0.0.1", port), 30) as wire:
        answers = wire.makefile("rb")
        answers.readline()
        wire.sendall(b"EHLO client.test\r\n")
        while answers.readline()[3:4] == b"-":
            pass
        for place, envelope in enumerate(envelopes):
            mail = f"From: jo@clinic.example\r\nMessage-ID: <p{place}@clinic.example>\r\n\r\nmail {place}\r\n.\r\n"
            if place == 0:
                wire.sendall(envelope.encode())
            assert [answers.readline()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
            wire.sendall((mail + (envelopes[place + 1] if place + 1 < count else "QUIT\r\n")).encode())
            assert answers.readline().startswith(b"250 2.0.0 ")


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> tuple[Traced, ...]:
    """Return the record of a service that took some mails one by one, many at once, and pipelined."""
    with world() as made:
        made.start()
        recorder = Recorder(made.node.process.pid, tmp_path_factory.mktemp("strace") / "record")
        pipelined(made.port(), PIPELINED)
        clients = [Client(f"order {place}", made.port, mails=MAILS) for place in range(CLIENTS)]
        for client in clients:
            client.start()
        wait_for("all news to be taken", lambda: made.vendor.taken >= TOTAL)
        return recorder.record()


def test_what_is_promised_is_on_the_disk_before(record: tuple[Traced, ...]) -> None:
    for promises in (order.answers(record), order.posts(record), order.webhooks(record)):
        assert len(promises) == TOTAL
        assert [promise.what for promise in promises if not promise.kept] == []


def test_the_proof_sees_what_was_said_too_early(record: tuple[Traced, ...]) -> None:
    """In the same record, with the syncs returning late, no promise is kept."""
    end = len(record) * 10
    late = tuple(replace(call, returned=end) if call.name in SYNCS else call for call in record)
    for promises in (order.answers(late), order.posts(late), order.webhooks(late)):
        assert len(promises) == TOTAL
        assert not any(promise.kept for promise in promises)
