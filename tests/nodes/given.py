"""Nodes as processes of their own on one database, a counting vendor, and what the database says of them."""

import contextlib
import json
import signal
import smtplib
import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.crash.vendor import AUTH, SENDER, TOKEN, Vendor
from tests.flow.mails import JO, mail
from tests.flow.running import Bridge, Loop, serve, wait_for, write_config

AT_ONCE = 50  # recipients of one mail


@dataclass(slots=True)
class Nodes:
    """Several services on one database. They listen where they like, so one configuration does for all."""

    database: str
    vendor: Vendor
    config: Path
    all: list[Bridge] = field(default_factory=list)
    handed: int = 0

    def start(self, *options: str) -> Bridge:
        """Start another node and wait until it is ready."""
        node = serve(self.config, *options, program=("tests.nodes.node",))
        self.all.append(node)
        return node

    def start_many(self, count: int) -> list[Bridge]:
        """Start so many at once: on a new database each of them may be the first."""
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda _: self.start(), range(count)))

    def hand_in(self, count: int, *nodes: Bridge) -> list[str]:
        """Hand in mails to so many numbers, none of them used before, to the nodes in turn; return the numbers."""
        numbers = [f"+614{10_000_000 + self.handed + n:08d}" for n in range(count)]
        self.handed += count
        for turn, begin in enumerate(range(0, count, AT_ONCE)):
            to = numbers[begin : begin + AT_ONCE]
            with smtplib.SMTP("127.0.0.1", nodes[turn % len(nodes)].smtp, timeout=60) as client:
                refused = client.send_message(
                    mail(f"mail to {to[0]}"), JO, [f"{one}@sms.local" for one in to]
                )
                assert not refused
        return numbers

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Return what the database answers."""
        if self.database.startswith("sqlite://"):
            with contextlib.closing(sqlite3.connect(self.database.removeprefix("sqlite://"))) as file:
                return file.execute(query).fetchall()
        with psycopg.connect(self.database) as connection:
            return connection.execute(query.encode()).fetchall()

    def states(self) -> dict[str, str]:
        """Return the state of the SMS to each number."""
        return dict(self.ask("SELECT number, state FROM sms"))

    def in_state(self, *states: str) -> list[str]:
        """Return the numbers whose SMS is in one of those states."""
        return [number for number, state in self.states().items() if state in states]

    def posts(self) -> Counter[str]:
        """Return how often each number was posted."""
        return Counter(post.number for post in self.vendor.posts)

    def sending(self, node: str) -> set[str]:
        """Return the numbers that the node with that id is sending."""
        return {number for (number,) in self.ask(f"SELECT number FROM sms WHERE node = '{node}'")}

    def given_up(self) -> dict[str, int]:
        """Return the numbers whose node was found gone, with the ms from the last claim to that."""
        return dict(
            self.ask(
                "SELECT s.number, h.at - s.claimed_at FROM sms s JOIN history h ON h.sms_id = s.id"
                " WHERE h.note LIKE 'node gone%'"
            )
        )

    def caught_sending(self, *nodes: Bridge) -> Bridge:
        """Let one of ``nodes`` stand still in the middle of sending, whichever is at it, and return it."""

        def look() -> Bridge | None:
            for node in nodes:
                freeze(node)
                if len(self.sending(self.id_of(node))) > 2:  # one may be stored as sent at this moment
                    return node
                thaw(node)
            return None

        found = wait_for("one that is sending", look)
        assert found is not None
        return found

    def id_of(self, node: Bridge) -> str:
        """Return a node's id in the database."""
        ((found,),) = self.ask(f"SELECT id FROM node WHERE pid = {node.process.pid}")
        return str(found)

    def holder(self, part: str) -> str:
        """Return the id of the node that holds a lease, empty if none does."""
        found = self.ask(f"SELECT node FROM lease WHERE part = '{part}'")
        return str(found[0][0]) if found else ""


def sent_by(node: Bridge) -> int:
    """Return how many SMS a node has sent, by its log."""
    said = [json.loads(line) for line in list(node.lines) if line.startswith("{")]
    return sum(one["say"] == "sent" for one in said)


def freeze(node: Bridge) -> None:
    """Let a node stand still, as a machine that is suspended."""
    node.process.send_signal(signal.SIGSTOP)


def thaw(node: Bridge) -> None:
    """Let it go on."""
    node.process.send_signal(signal.SIGCONT)


def most_within(seconds: float, moments: list[float]) -> int:
    """Return the most of ``moments`` that lie within any stretch of so many seconds."""
    moments = sorted(moments)
    first = most = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


@contextlib.contextmanager
def nodes_on(database: str, folder: Path, **of_vendor: Any) -> Iterator[Nodes]:
    """Make nodes possible on ``database``, none of them started; ``of_vendor`` are keys of ``vendor``."""
    loop = Loop()
    vendor = Vendor(loop)
    try:
        ours = {
            "send_url": vendor.send_url,
            "rest_url": vendor.rest_url,
            "sender": SENDER,
            "token": TOKEN,
            "auth_token": AUTH,
            "rate": "100/s",
            "send_timeout": "5s",  # a busy machine may be slow to hear an answer: five such would stop sending
        }
        rules = [
            {
                "match": ["*@clinic.example"],
                "proof": ["network"],
                "networks": ["127.0.0.0/8"],
                "limits": {"recipients": AT_ONCE},
                "reports": "none",
            }
        ]
        config = write_config(folder, vendor, None, database=database, vendor=ours | of_vendor, senders=rules)
        made = Nodes(database, vendor, config)
        try:
            yield made
        finally:
            for node in made.all:
                if node.process.poll() is None:
                    node.kill()
    finally:
        vendor.close()
        loop.close()
