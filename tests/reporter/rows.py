"""Outbox rows in memory with the verbs the reporter uses: what the store promises, and what was asked of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bridge.errors import StoreError
from bridge.report.values import OutboxMail, OutboxState, StoredMail
from bridge.sms import Sms


@dataclass(frozen=True, slots=True)
class Work:
    mail: OutboxMail
    source: StoredMail | None
    sms: tuple[Sms, ...]


@dataclass
class Rows:
    """``works`` by id. ``faults`` counts the verbs that will fail; ``clock`` is ms."""

    works: dict[int, Work] = field(default_factory=dict)
    leased: set[int] = field(default_factory=set)
    alarms: list[tuple[str, tuple[tuple[str, str], ...]]] = field(default_factory=list)
    later: list[tuple[int, int, str]] = field(default_factory=list)
    sweeps: int = 0
    faults: int = 0
    end_faults: int = 0

    def put(self, *works: tuple[OutboxMail, StoredMail | None, tuple[Sms, ...]]) -> None:
        for mail, source, sms in works:
            self.works[mail.id] = Work(mail, source, sms)

    def mail(self, number: int) -> OutboxMail:
        return self.works[number].mail

    def _change(self, number: int, **changes: object) -> None:
        work = self.works[number]
        self.works[number] = replace(work, mail=replace(work.mail, **changes))  # type: ignore[arg-type]

    async def sweep_notices(self) -> None:
        if self.faults:
            self.faults -= 1
            raise StoreError("the database is locked")
        self.sweeps += 1

    async def claim_mail(self, limit: int) -> Sequence[Work]:
        due = [w for n, w in self.works.items() if w.mail.state is OutboxState.DUE and n not in self.leased]
        self.leased |= {work.mail.id for work in due[:limit]}
        return due[:limit]

    async def rendered(self, outbox_id: int, raw: bytes, subject: str) -> None:
        assert self.mail(outbox_id).raw is None
        self._change(outbox_id, raw=raw, subject=subject)

    async def mail_sent(self, outbox_id: int) -> None:
        if self.end_faults:
            self.end_faults -= 1
            raise StoreError("the disk is full")
        self._change(outbox_id, state=OutboxState.SENT)

    async def mail_later(self, outbox_id: int, wait_ms: int, error: str) -> None:
        self.later.append((outbox_id, wait_ms, error))
        self._change(outbox_id, attempts=self.mail(outbox_id).attempts + 1, error=error)

    async def mail_dead(self, outbox_id: int, error: str) -> None:
        self._change(outbox_id, state=OutboxState.DEAD, error=error)

    async def mail_kept(self, outbox_id: int) -> None:
        self._change(outbox_id, state=OutboxState.KEPT)

    async def note_alarm(self, key: str, facts: tuple[tuple[str, str], ...]) -> None:
        self.alarms.append((key, facts))

    async def wait(self, topic: str, timeout_s: float) -> None:
        assert topic == "outbox"
        await asyncio.sleep(0.01)
