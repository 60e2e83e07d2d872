"""The octets behind DATA, in whatever pieces they come: where the mail ends, dots unstuffed, line ends made CRLF.

RFC 5321, 4.1.1.4 and 4.5.2. Only CRLF.CRLF ends a mail; anything looser lets one mail smuggle in another.
"""

from typing import Final

_END: Final = b"\r\n.\r\n"
_PREFIXES: Final = (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r")
_MAX_RUN: Final = 1_000  # carriage returns in a row that are kept to see whether a LF follows


class Unstuffer:
    """Finds the end of the mail and undoes the transparency procedure."""

    def __init__(self) -> None:
        self._held = b"\r\n"  # as if DATA's own CRLF were part of the mail: a dot may stand in its first line
        self._fresh = True

    def feed(self, chunk: bytes) -> tuple[bytes, bytes | None]:
        """The content in ``chunk``, and what stands behind the end of the mail (None: it goes on)."""
        data = self._held + chunk
        end = data.find(_END)
        if end >= 0:
            return self._content(data[: end + 2]), data[end + 5 :]
        self._held = next((prefix for prefix in _PREFIXES if data.endswith(prefix)), b"")
        return self._content(data[: len(data) - len(self._held)]), None

    def _content(self, data: bytes) -> bytes:
        content = data.replace(b"\r\n.", b"\r\n")
        if self._fresh and content:
            self._fresh = False
            return content[2:]
        return content


class LineEnds:
    """Makes every line end CRLF, whatever it was, and drops NUL. ``odd`` tells that it had to."""

    def __init__(self) -> None:
        self.odd = False
        self._run = b""

    def feed(self, data: bytes) -> bytes:
        """``data`` with regular line ends; carriage returns at its end wait for what follows."""
        if not self._run:
            regular = data.count(b"\r\n")
            if data.count(b"\n") == regular == data.count(b"\r") and b"\0" not in data:
                return data
        self.odd = True
        return self._mended(self._run + data.replace(b"\0", b""))

    def _mended(self, data: bytes) -> bytes:
        body = data.rstrip(b"\r")
        run = len(data) - len(body)
        self._run = b"\r" * min(run, 1) if run > _MAX_RUN else b"\r" * run
        body += b"\r" * (run - len(self._run))
        pieces = body.split(b"\n")
        lines = b"\n".join([piece.rstrip(b"\r") for piece in pieces[:-1]] + pieces[-1:])
        return lines.replace(b"\r", b"\n").replace(b"\n", b"\r\n")
