"""SMTP logins: argon2 in small thread pools, good ones remembered for a while, failed ones answered ever later.

Must not log or keep a password. Whether a user exists shows neither in the answer nor in its time.
"""

import asyncio
import contextlib
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Final

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

REMEMBER_S: Final = 600.0  # a fleet of printers logs in for every mail; argon2 is made to be slow
FORGET_S: Final = 900.0  # failures older than this count no more
FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 30.0
LONGEST_WAIT_S: Final = 20.0  # one who would have to wait longer is told to come back
_MOST: Final = 10_000  # entries of each table: an attacker's names and addresses must not fill the memory
_MAX_PASSWORD: Final = 1_024


class Outcome(Enum):
    """How a login ended."""

    GOOD = "good"
    BAD = "bad"
    LATER = "later"  # too many failures of late: not even looked at


@dataclass(slots=True)
class _Failures:
    count: int
    last: float
    free: float  # when the next try may be looked at
    waiting: int = 0  # tries that will be looked at, and that are likely to fail too


class Delays:
    """How long a try has to wait, by address and by account: each failure doubles it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._of: OrderedDict[str, _Failures] = OrderedDict()

    def wait(self, *keys: str) -> float:
        """Seconds that a try under ``keys`` must wait; tries at once wait one behind the other, ever longer."""
        now = self._clock()
        found = [failures for key in keys if (failures := self._recent(key, now))]
        start = max([now, *(failures.free for failures in found)])
        if start - now <= LONGEST_WAIT_S:
            for failures in found:
                failures.waiting += 1
                failures.free = start + self._delay(failures.count + failures.waiting)
        return start - now

    def failed(self, *keys: str) -> None:
        """Note a failure under ``keys``."""
        now = self._clock()
        for key in keys:
            failures = self._recent(key, now) or _Failures(0, now, now)
            failures.count += 1
            failures.waiting = max(failures.waiting - 1, 0)
            failures.last = now
            failures.free = max(failures.free, now + self._delay(failures.count))
            self._of[key] = failures
            self._of.move_to_end(key)
        while len(self._of) > _MOST:
            self._of.popitem(last=False)

    def left(self, *keys: str) -> None:
        """Note that a try under ``keys`` that waited will not be looked at."""
        for key in keys:
            if failures := self._of.get(key):
                failures.waiting = max(failures.waiting - 1, 0)

    def forget(self, *keys: str) -> None:
        """Note a success under ``keys``."""
        for key in keys:
            self._of.pop(key, None)

    def _recent(self, key: str, now: float) -> _Failures | None:
        failures = self._of.get(key)
        if failures is not None and now - failures.last > FORGET_S:
            del self._of[key]
            return None
        return failures

    @staticmethod
    def _delay(count: int) -> float:
        return float(min(FIRST_DELAY_S * 2 ** min(count - 1, 20), LONGEST_DELAY_S))


class _Turns:
    """A lock for each key, as long as somebody wants it."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[asyncio.Lock, int]] = {}

    @contextlib.asynccontextmanager
    async def of(self, key: str) -> AsyncIterator[None]:
        """Be alone under ``key`` while inside."""
        lock, wanted = self._of.get(key, (asyncio.Lock(), 0))
        self._of[key] = lock, wanted + 1
        try:
            async with lock:
                yield
        finally:
            lock, wanted = self._of[key]
            if wanted == 1:
                del self._of[key]
            else:
                self._of[key] = lock, wanted - 1


def _keys(user: str, place: str) -> tuple[str, str]:
    return f"from {place}", f"as {user[:100]}"


class Logins:
    """Verifies logins against argon2 hashes. ``clock`` is in seconds, for the times to remember and forget."""

    def __init__(self, users: Mapping[str, str], clock: Callable[[], float]) -> None:
        self._users: Mapping[str, str] = {}
        self._clock = clock
        self._delays = Delays(clock)
        self._turns = _Turns()
        self._hasher = PasswordHasher()
        self._threads = ThreadPoolExecutor(2, "smtp-login")
        # Guesses from everywhere fill the queue of those; who has been here before does not stand in it.
        self._threads_of_known = ThreadPoolExecutor(2, "smtp-login-known")
        self._key = secrets.token_bytes(32)
        self._good: OrderedDict[bytes, float] = OrderedDict()
        self._places: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._nobody = ""
        self.renew(users)

    @property
    def any(self) -> bool:
        """Whether there is anybody who could log in."""
        return bool(self._users)

    def renew(self, users: Mapping[str, str]) -> None:
        """Let these be the users from now on, whoever was it before."""
        self._users = {name.lower(): hashed for name, hashed in users.items()}
        self._nobody = self._hash_of_nobody()

    def hash_of(self, user: str) -> str | None:
        """The hash that the password of ``user`` must fit, None for one who cannot log in."""
        return self._users.get(user)

    def close(self) -> None:
        """Let the threads go."""
        for threads in (self._threads, self._threads_of_known):
            threads.shutdown(wait=False, cancel_futures=True)

    async def check(
        self,
        user: str,
        password: bytes,
        place: str,
        made_to_wait: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> Outcome:
        """Whether ``password`` is that of ``user`` (lower case); may take its time, above all when it is not.

        Whoever has failed before waits inside ``made_to_wait``. May be cancelled: then it is as if it had not been
        asked, but that the next try waits no less.
        """
        hashed, user_known = self._hash(user, password)
        mark = self._mark(user, password, hashed)
        if user_known and self._good.get(mark, 0) > self._clock():
            return Outcome.GOOD
        keys = _keys(user, place)
        # A place that this user has logged in from is not held up by what others try under that name.
        counted = keys[:1] if (user, place) in self._places else keys
        async with contextlib.AsyncExitStack() as turn:
            # Tries without a failure before them are looked at one by one: each sees what became of the last.
            for key in sorted(counted):
                await turn.enter_async_context(self._turns.of(key))
            wait = self._delays.wait(*counted)
            if not wait:
                return await self._looked_at(user, password, place, mark)
        if wait > LONGEST_WAIT_S:
            return Outcome.LATER
        try:
            with made_to_wait():
                await asyncio.sleep(wait)
            return await self._looked_at(user, password, place, mark)
        except asyncio.CancelledError:
            self._delays.left(*counted)
            raise

    async def _looked_at(self, user: str, password: bytes, place: str, mark: bytes) -> Outcome:
        hashed, user_known = self._hash(user, password)
        keys = _keys(user, place)
        threads = self._threads_of_known if (user, place) in self._places else self._threads
        fits = await asyncio.get_running_loop().run_in_executor(
            threads, self._verify, hashed, password[:_MAX_PASSWORD]
        )
        if not (fits and user_known):
            self._delays.failed(*keys)
            return Outcome.BAD
        self._remember(mark, (user, place))
        self._delays.forget(*keys)
        return Outcome.GOOD

    def _hash(self, user: str, password: bytes) -> tuple[str, bool]:
        """The hash to verify against, and whether it is a user's."""
        if user not in self._users or len(password) > _MAX_PASSWORD:
            return self._nobody, False
        return self._users[user], True

    def _remember(self, mark: bytes, place: tuple[str, str]) -> None:
        self._good[mark] = self._clock() + REMEMBER_S
        self._good.move_to_end(mark)
        self._places[place] = None
        self._places.move_to_end(place)
        while len(self._good) > _MOST:
            self._good.popitem(last=False)
        while len(self._places) > _MOST:
            self._places.popitem(last=False)

    def _mark(self, user: str, password: bytes, hashed: str) -> bytes:
        name = user.encode("utf-8", "replace")
        message = len(name).to_bytes(8, "big") + name + hashlib.sha256(password).digest() + hashed.encode()
        return hmac.digest(self._key, message, "sha256")

    def _verify(self, hashed: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    def _hash_of_nobody(self) -> str:
        """A hash that nothing fits and that costs as much as the users' own; none is needed without users."""
        for hashed in self._users.values():
            try:
                hasher = PasswordHasher.from_parameters(extract_parameters(hashed))
            except InvalidHashError:
                continue
            return hasher.hash(secrets.token_bytes(16))
        return self._hasher.hash(secrets.token_bytes(16)) if self._users else ""
