"""One mail to one recipient in a session: MAIL, RCPT, DATA (RFC 5321, 3.3), in one go where the server takes that."""

import re
from typing import Final

from bridge.mail_out.session import Reply, Session
from bridge.mail_out.values import Dead, Later, Result, Sent

_UNSEEN: Final = re.compile(r"[^ -~]+")
_SESSION: Final = frozenset({500, 502, 503, 504, 530, 534, 535, 538})  # about the session, not the mail
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


async def transaction(session: Session, envelope_from: str, to: str, raw: bytes) -> Result:
    """Hand a mail over. Raises SMTPServerDisconnected when the connection is of no more use.

    With PIPELINING (RFC 2920) it takes two round trips, else four.
    """
    options = ""
    if not (envelope_from + to).isascii():
        if not session.offers("smtputf8"):
            return Dead("the smarthost does not take addresses beyond ASCII")
        options += " SMTPUTF8"
    if not raw.isascii() and session.offers("8bitmime"):
        options += " BODY=8BITMIME"
    commands = [
        f"MAIL FROM:<{envelope_from}>{options}\r\n".encode(),
        f"RCPT TO:<{to}>\r\n".encode(),
        b"DATA\r\n",
    ]
    refused, begun = await _begun(session, commands)
    if refused:
        if begun:
            session.close()  # it waits for a mail that nobody is to get
        else:
            await _reset(session)
        return _refused(refused)
    session.say(_octets(raw))
    taken = await session.reply()
    if taken.code != 250:
        await _reset(session)
        return _refused(taken)
    return Sent(clean(f"{taken.code} {taken.text}"))


async def _begun(session: Session, commands: list[bytes]) -> tuple[Reply | None, bool]:
    """Return the first refusal of a command, and whether the server waits for the mail."""
    at_once = session.offers("pipelining")
    if at_once:
        session.say(b"".join(commands))
    refused, reply = None, None
    for command, good in zip(commands, ((250,), (250, 251), (354,)), strict=True):
        if not at_once:
            session.say(command)
        reply = await session.reply()
        if reply.code not in good:
            refused = refused or reply
            if not at_once:
                break
    return refused, reply is not None and reply.code == 354


async def _reset(session: Session) -> None:
    """Make the session ready for the next mail, or end it."""
    session.say(b"RSET\r\n")
    if (await session.reply()).code != 250:
        session.close()


def _octets(raw: bytes) -> bytes:
    """The mail as it goes out: lines ended by CRLF, dots doubled (RFC 5321, 4.5.2), and the end."""
    if not raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r"):
        raw = _LINE_END.sub(b"\r\n", raw)
    dotted = b"." + raw if raw.startswith(b".") else raw
    dotted = dotted.replace(b"\r\n.", b"\r\n..")
    return dotted + (b".\r\n" if dotted.endswith(b"\r\n") else b"\r\n.\r\n")


def _refused(reply: Reply) -> Result:
    """4xx and refusals of the session: later; every other 5xx: never (RFC 5321, 4.2.1)."""
    said = clean(f"{reply.code} {reply.text}")
    if 500 <= reply.code < 600 and reply.code not in _SESSION:
        return Dead(said)
    return Later(said)


def clean(text: str) -> str:
    """A server's words as one bounded ASCII line."""
    return _UNSEEN.sub(" ", text).strip()[:200]
