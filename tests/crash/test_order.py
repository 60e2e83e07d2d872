"""Proof of order, by strace: fdatasync had returned before 250, POST and 200 were written."""

import socket
from dataclasses import replace
from pathlib import Path

from tests.crash import order
from tests.crash.clients import Client, numbers
from tests.crash.database import Engine
from tests.crash.strace import RECEIVES, SYNCS, Recorder, Traced
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


def recorded(engine: Engine, folder: Path) -> tuple[Traced, ...]:
    """Return the record of a service that took some mails one by one, many at once, and pipelined."""
    with world(engine) as made:
        made.start()
        recorder = Recorder(made.node.process.pid, folder / "record")
        pipelined(made.port(), PIPELINED)
        clients = [Client(f"order {place}", made.port, mails=MAILS) for place in range(CLIENTS)]
        for client in clients:
            client.start()
        wait_for("all news to be taken", lambda: made.vendor.taken >= TOTAL)
        return recorder.record()


def late(record: tuple[Traced, ...], names: frozenset[str]) -> tuple[Traced, ...]:
    """Return a record with calls of those names returning at its end: no promise is kept then."""
    end = len(record) * 10
    return tuple(replace(call, returned=end) if call.name in names else call for call in record)


def test_what_is_promised_is_on_the_disk_before(tmp_path: Path) -> None:
    record = recorded("sqlite", tmp_path)
    for promised in (order.answers, order.posts, order.webhooks):
        promises = promised(record)
        assert len(promises) == TOTAL
        assert [promise.what for promise in promises if not promise.kept] == []
        too_early = promised(late(record, SYNCS))
        assert len(too_early) == TOTAL
        assert not any(promise.kept for promise in too_early), "the proof must see it"


def test_what_is_promised_is_committed_on_postgresql_before(tmp_path: Path) -> None:
    record = recorded("postgresql", tmp_path)
    promises = order.answers(record, "postgresql")
    assert len(promises) == TOTAL
    assert [promise.what for promise in promises if not promise.kept] == []
    too_early = order.answers(late(record, RECEIVES), "postgresql")
    assert not any(promise.kept for promise in too_early), "the proof must see it"
