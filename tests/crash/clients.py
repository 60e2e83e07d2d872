"""Clients that hand mails in as honest ones do: what was not answered 250 is sent again, the same mail, until it is."""

import contextlib
import itertools
import random
import smtplib
import threading
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Final

from tests.crash.records import Handed

SENDER: Final = "jo@clinic.example"
WITHOUT_ID: Final = 0.2  # of the mails have no Message-ID
PATIENCE_S: Final = 20.0
_numbers = itertools.count()


def numbers(count: int) -> tuple[str, ...]:
    """Return so many numbers that no other mail of this process has."""
    return tuple(f"+614{210_00000 + next(_numbers):08}" for _ in range(count))


class Client(threading.Thread):
    """Hands in mails, some on one connection, until `finish`, or ``mails`` of them to one number each.

    ``port`` is asked before each connection.
    """

    def __init__(
        self,
        name: str,
        port: Callable[[], int],
        *,
        seed: int = 0,
        pause_s: float = 0.0,
        mails: int | None = None,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._port, self._pause_s, self._most = port, pause_s, mails
        self._random = random.Random(f"{name} {seed}")
        self._finished = threading.Event()
        self.handed: list[Handed] = []
        self.numbers: list[str] = []
        self.codes: list[int] = []

    def finish(self) -> None:
        """Hand in the mail under way until it is taken, and no other."""
        self._finished.set()
        self.join()

    def is_done(self) -> bool:
        """Return whether all its mails are taken."""
        return len(self.handed) == self._most

    def run(self) -> None:
        mails = self._mails()
        due, tries = next(mails), 0
        while not self._finished.is_set() or tries:
            with contextlib.suppress(OSError, smtplib.SMTPException), self._connected() as client:
                for _ in range(self._random.choice((1, 1, 5, 20))):
                    text, mail, to = due
                    tries += 1
                    if not self._hand_in(client, mail, to):
                        break
                    self.handed.append(Handed(text, to, time.monotonic(), tries))
                    if len(self.handed) == self._most:
                        return
                    due, tries = next(mails), 0
                    if self._finished.wait(self._pause_s):
                        break
            self._finished.wait(0.02)

    def _connected(self) -> smtplib.SMTP:
        client = smtplib.SMTP("127.0.0.1", self._port(), timeout=PATIENCE_S)
        client.ehlo()
        return client

    def _hand_in(self, client: smtplib.SMTP, mail: bytes, to: tuple[str, ...]) -> bool:
        """Return whether the mail was answered 250. An answer that is neither 250 nor "later" raises."""
        codes = [client.mail(SENDER)[0]]
        codes += [client.rcpt(f"{number}@sms.local")[0] for number in to] if codes == [250] else []
        codes += [client.data(mail)[0]] if set(codes) == {250} else []
        self.codes.append(codes[-1])
        return set(codes) == {250}

    def _mails(self) -> Iterator[tuple[str, bytes, tuple[str, ...]]]:
        for serial in itertools.count():
            text, to = (
                f"{self.name} mail {serial}",
                numbers(1 if self._most else self._random.choice((1, 1, 1, 3))),
            )
            self.numbers += to
            mail = EmailMessage()
            mail["From"], mail["To"] = SENDER, ", ".join(f"{number}@sms.local" for number in to)
            if self._random.random() >= WITHOUT_ID:
                mail["Message-ID"] = f"<{serial}.{self._random.getrandbits(64):x}@clinic.example>"
            mail.set_content(text)
            yield text, mail.as_bytes(), to
