"""Takes in one mail behind DATA and holds of it what is worth holding, within a bound whatever its size.

Small mails are held as they are; past 64 KiB the rest is skimmed, past 512 KiB what is kept goes to a file.
A fault never stops the reading: the client is answered only when its mail has ended.
"""

import tempfile
from dataclasses import dataclass
from typing import Final

from bridge.mail_in import replies
from bridge.mail_in.lines import LineEnds, Unstuffer
from bridge.mail_in.replies import Reply
from bridge.mail_in.room import SMALL, Held
from bridge.mail_in.skim import Skimmer
from bridge.proving import BodyDigest, Digests

MAX_LINE: Final = 65_536  # octets; alarm gear sends its HTML in one line, which 1,000 would refuse
MAX_LINES: Final = 1_000_000  # a mail of 25 MB in base64 has a third of that
MAX_RAW: Final = 1024 * 1024  # a mail that is handed on as it came
_IN_MEMORY: Final = 512 * 1024
_PATIENCE: Final = 1024 * 1024  # octets read past the end of what we take before we hang up


@dataclass(frozen=True, slots=True)
class Body:
    """A whole mail: the octets to read it from, its true size, whether texts were left out.

    ``digests`` are those of its whole body when ``octets`` are not all of it and a signature may count.
    """

    octets: bytes
    size: int
    cut: bool
    digests: Digests | None = None


class Collector:
    """One mail on its way in.

    ``refusal`` is the answer it has earned so far, if any; ``hopeless``: it is so much too big that waiting
    for its end is no use; ``lone_dot``: a dot stood alone in a line that did not begin or end with CRLF.
    ``as_it_came`` keeps the mail whole (up to 1 MiB); ``regular``: odd line ends are refused;
    ``signed``: a signature may prove the sender.
    """

    def __init__(
        self, held: Held, max_size: int, *, as_it_came: bool, regular: bool, signed: bool = False
    ) -> None:
        self.refusal: Reply | None = None
        self.size = 0
        self.lone_dot = False
        self._held = held
        self._most = min(max_size, MAX_RAW) if as_it_came else max_size
        self._as_it_came = as_it_came
        self._regular = regular
        self._unstuff = Unstuffer()
        self._ends = LineEnds()
        self._lines = 0
        self._line = 0
        self._pieces: list[bytes] = []
        self._in_pieces = 0
        self._skimmer: Skimmer | None = None
        self._file: tempfile.SpooledTemporaryFile[bytes] | None = None
        self._spooled = 0
        self._signed = signed
        self._digest: BodyDigest | None = None

    @property
    def hopeless(self) -> bool:
        """Whether far more came than could ever be taken."""
        return self.size > self._most + _PATIENCE

    @property
    def big(self) -> bool:
        """Whether reading it may take long enough to hold up others."""
        return self._in_pieces + self._spooled > 16 * 1024

    def feed(self, chunk: bytes) -> bytes | None:
        """Take what came; once the mail has ended, what stands behind it (else None)."""
        content, rest = self._unstuff.feed(chunk)
        self.size += len(content)
        if self.refusal is None and content:
            try:
                self.refusal = self._misfit(content) or self._take(content)
            except OSError:  # the disk is full
                self.refusal = replies.FAULT
            if self.refusal is not None:
                self.close()
        return rest

    def finish(self) -> Body:
        """The mail, once it has ended without refusal. Reads a spooled one back: to be run in a thread if `big`.

        Raises `OSError`.
        """
        if self._skimmer is None:
            return Body(b"".join(self._pieces), self.size, False)
        self._skimmer.close()
        assert self._file is not None
        self._file.seek(0)
        digests = self._digest.digests() if self._digest is not None else None
        return Body(self._file.read(), self.size, self._skimmer.cut, digests)

    def close(self) -> None:
        """Let go of everything held."""
        self._pieces.clear()
        self._skimmer = None
        if self._file is not None:
            self._file.close()
            self._file = None
        self._held.release()

    def _misfit(self, content: bytes) -> Reply | None:
        """The answer to a mail that is too big or whose lines are too many or too long."""
        if self.size > self._most:
            return replies.TOO_BIG_FOR_POSTMASTER if self._as_it_came else replies.TOO_BIG
        lines = content.count(b"\n")
        self._lines += lines
        if self._lines > MAX_LINES:
            return replies.TOO_MANY_LINES
        first, last = (content.find(b"\n"), content.rfind(b"\n")) if lines else (len(content), -1)
        too_long = self._line + first > MAX_LINE
        self._line = len(content) - last - 1 if lines else self._line + len(content)
        return replies.LINE_TOO_LONG if too_long or self._line > MAX_LINE else None

    def _take(self, content: bytes) -> Reply | None:
        mended = self._ends.feed(content)
        if self._ends.odd:
            self.lone_dot = self.lone_dot or b"\r\n.\r\n" in mended
            if self._regular:
                return replies.BARE_LINE_ENDS
        content = content if self._as_it_came else mended
        if self._skimmer is not None:
            self._skim(content)
        elif self._as_it_came or self._in_pieces + len(content) <= SMALL:
            self._pieces.append(content)
            self._in_pieces += len(content)
            return None if self._held.grow(len(content)) else replies.NO_MEMORY
        else:
            self._begin_to_skim(content)
        return None if self._room() else replies.NO_MEMORY

    def _begin_to_skim(self, content: bytes) -> None:
        self._held.release()
        self._in_pieces = 0
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by close()
        self._skimmer = Skimmer(self._spool)
        self._digest = BodyDigest() if self._signed else None
        pieces, self._pieces = self._pieces, []
        for piece in (*pieces, content):
            self._skim(piece)

    def _skim(self, content: bytes) -> None:
        assert self._skimmer is not None
        self._skimmer.feed(content)
        if self._digest is not None:
            self._digest.feed(content)

    def _spool(self, octets: bytes) -> None:
        assert self._file is not None
        self._file.write(octets)
        self._spooled += len(octets)

    def _room(self) -> bool:
        waiting = self._skimmer.waiting if self._skimmer is not None else 0
        wanted = min(self._spooled, _IN_MEMORY) + waiting
        return self._held.grow(max(wanted - self._held.octets, 0))
