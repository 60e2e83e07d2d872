"""The order of things, out of strace's record: what was promised was on the disk before.

The database's log holds pages, and a page the rows in plain octets: which write carries a row, in which state, is read
from what was written.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.crash.database import Engine
from tests.crash.strace import RECEIVES, SENDS, SYNCS, Traced

_TAKEN: Final = re.compile(rb"250 2\.0\.0 (\w+): ")
_POSTED: Final = re.compile(rb"MessageID=(\w+)")


@dataclass(frozen=True, slots=True)
class Promise:
    """Something that is said to another, and may be said only when ``what`` is on the disk."""

    what: str
    said: Traced
    safe: Traced | None

    @property
    def kept(self) -> bool:
        return self.safe is not None and self.safe.good and self.safe.returned < self.said.began


def answers(record: tuple[Traced, ...], engine: Engine = "sqlite") -> list[Promise]:
    """Return each 250 to a mail, with the call that made the mail safe, or that heard that it is."""
    safe = _synced if engine == "sqlite" else _committed
    return [
        Promise(f"mail {name.decode()}", call, safe(record, re.compile(name)))
        for call in _named(record, SENDS)
        for name in _TAKEN.findall(call.octets)
    ]


def posts(record: tuple[Traced, ...]) -> list[Promise]:
    """Return each POST, with the sync that made safe that its SMS is being sent."""
    found = []
    heads: dict[str, Traced] = {}
    for call in _named(record, SENDS):
        if call.octets.startswith(b"POST "):
            heads[call.on] = call  # it begins with its first octet
        for name in _POSTED.findall(call.octets):
            said = heads.pop(call.on)
            found.append(Promise(f"SMS {name.decode()}", said, _synced(record, _in_state(name, b"sending"))))
    return found


def webhooks(record: tuple[Traced, ...]) -> list[Promise]:
    """Return each 200 to a webhook about an SMS that came, with the sync that made safe that it came."""
    found = []
    asked: dict[str, bytes] = {}
    for call in record:
        if call.name in RECEIVES and (named := re.search(rb'"MessageID": ?"(\w+)"', call.octets)):
            asked[call.on] = named[1]
        elif call.name in SENDS and call.octets.startswith(b"HTTP/1.1 200") and call.on in asked:
            name = asked.pop(call.on)
            found.append(
                Promise(f"news of {name.decode()}", call, _synced(record, _in_state(name, b"delivered")))
            )
    return found


def _in_state(name: bytes, state: bytes) -> re.Pattern[bytes]:
    """A row holds its MessageID, and its state as the next word that is one."""
    return re.compile(
        name + rb"(?:(?!queued|sending|submitted|unknown|delivered).){0,1000}" + state, re.DOTALL
    )


def _synced(record: tuple[Traced, ...], row: re.Pattern[bytes]) -> Traced | None:
    """Return the first sync of the log that began after the first write of that row was done."""
    log = [call for call in record if ".db-wal" in call.on]
    written = next((call for call in log if call.name == "pwrite64" and row.search(call.octets)), None)
    if written is None:
        return None
    return next((call for call in log if call.name in SYNCS and call.began > written.returned), None)


def _committed(record: tuple[Traced, ...], row: re.Pattern[bytes]) -> Traced | None:
    """Return the receipt of the server's word that the transaction in which that row was first sent is committed."""
    wire = [call for call in record if "socket" in call.on]
    sent = next((call for call in wire if call.name in SENDS and row.search(call.octets)), None)
    if sent is None:
        return None
    heard = (call for call in wire if call.name in RECEIVES and call.on == sent.on)
    return next(
        (call for call in heard if call.returned > sent.returned and b"COMMIT\0" in call.octets), None
    )


def _named(record: tuple[Traced, ...], names: frozenset[str]) -> Iterator[Traced]:
    return (call for call in record if call.name in names and "socket" in call.on)
