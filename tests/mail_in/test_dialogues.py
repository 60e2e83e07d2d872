"""The dialogues in `dialogues/`: plain text, each against a server of its own. To add one, add a file.

``#`` is a comment. ``@ key value`` sets the scene before the first line: ``listener`` none, starttls or
implicit; ``client`` network (a sender rule holds for it) or stranger;
``threat`` the row of the table of threats that it is a figure for. ``C:`` is said with CRLF, ``R:`` is sent
raw with Python's escapes, ``S:`` is an answer line in which ``...`` stands for anything. ``TLS`` begins TLS,
``HALF`` closes the client's sending side, ``CLOSED`` expects the server to hang up. ``= number text`` lines
at the end are the SMS stored, in order (`` / `` is a line end); no such line means that none may be.
"""

import asyncio
import re
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.mail_in.client import Client
from tests.mail_in.conftest import POLICY, STRANGERS, Starter, servers

FILES = sorted((Path(__file__).parent / "dialogues").glob("*.txt"))


def test_there_are_dialogues() -> None:
    assert len(FILES) >= 20


def _case(file: Path) -> Any:
    row = re.search(r"^@ threat (\d+)$", file.read_text(), re.MULTILINE)
    marks = [pytest.mark.threat(int(row[1]), "went otherwise", of="dialogues")] if row else []
    return pytest.param(file, id=file.stem, marks=marks)


@pytest.mark.parametrize("file", [_case(file) for file in FILES])
async def test_a_dialogue_goes_as_written(file: Path, start: Starter, trusting: ssl.SSLContext) -> None:
    await _go(file, start, trusting)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dialogue_goes_alike_in_uvloop(
    file: Path, tmp_path: Path, certificate: tuple[str, str], users: dict[str, str], trusting: ssl.SSLContext
) -> None:
    async def main() -> None:
        async with servers(tmp_path, certificate, users) as start:
            await _go(file, start, trusting)

    pytest.importorskip("uvloop").run(main())


async def _go(file: Path, start: Starter, trusting: ssl.SSLContext) -> None:
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    scene = dict(line[2:].split(maxsplit=1) for line in lines if line.startswith("@ "))
    policy = STRANGERS if scene.get("client") == "stranger" else POLICY
    kind: Any = scene.get("listener", "none")
    server = await start(kind, policy=policy, max_size=100_000)
    context = trusting if kind == "implicit" else None
    await asyncio.to_thread(_talk, lines, server.port, trusting, context)
    wanted = [line[2:].split(" ", 1) for line in lines if line.startswith("= ")]
    assert [[sms.number, sms.text.replace("\n", " / ")] for sms in await server.sms()] == wanted


def _talk(lines: list[str], port: int, trusting: ssl.SSLContext, implicit: ssl.SSLContext | None) -> None:
    with Client(port, implicit) as client:
        for number, line in enumerate(lines, 1):
            kind, _, rest = line.partition(" ")
            if kind == "C:":
                client.send(rest.encode("utf-8") + b"\r\n")
            elif kind == "R:":
                client.send(rest.encode("latin-1").decode("unicode_escape").encode("latin-1"))
            elif kind == "S:":
                said = client.line()
                assert _fits(said, rest), f"line {number}: {said!r} does not fit {rest!r}"
            elif kind == "TLS":
                client.start_tls(trusting)
            elif kind == "HALF":
                client.socket.shutdown(1)
            elif kind == "CLOSED":
                assert client.line() == ""
            else:
                assert kind in ("@", "="), f"cannot read {line!r}"


def _fits(said: str, pattern: str) -> bool:
    parts = [re.escape(part) for part in pattern.split("...")]
    return re.fullmatch(".*".join(parts), said) is not None
