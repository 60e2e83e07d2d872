"""The SMTP commands (RFC 5321) of one connection, each answered by one line; mails go on to the `Intake`.

Must not know the store, nor how a recipient or a mail is decided.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from bridge.decide import Client, Special, Target
from bridge.dsn import Wish
from bridge.mail_in import commands, replies
from bridge.mail_in.collect import Collector
from bridge.mail_in.connection import MAX_LONGEST, Connection, Over
from bridge.mail_in.house import House
from bridge.mail_in.intake import Transaction
from bridge.mail_in.logins import Outcome
from bridge.mail_in.replies import Reply
from bridge.mail_in.room import SMALL, Held
from bridge.mail_in.settings import Listener
from bridge.rules import MAX_RECIPIENTS

MAX_COMMAND: Final = 512  # octets, RFC 5321 4.5.3.1.4
MAX_LONG_COMMAND: Final = 2_048  # MAIL and RCPT with their parameters
MAX_MISTAKES: Final = 10
MAX_IDLE_COMMANDS: Final = 1_000  # commands between two mails
MAX_LOGIN_TRIES: Final = 3
_READ: Final = 65_536
# A web page, or a web server that is made to call others, may post to this port from inside a listed network;
# what it posts would be read as commands once the header fields before it are refused.
_OF_HTTP: Final = frozenset(
    {b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"CONNECT", b"PRI"}
)

_LOG: Final = logging.getLogger("bridge.mail_in")


class Conversation(Connection):
    """What one client says and is answered."""

    def __init__(self, house: House, listener: Listener) -> None:
        super().__init__(house, listener)
        self._greeted = False
        self._hello_name = ""
        self._mail: Transaction | None = None
        self._mistakes = 0
        self._idle_commands = 0
        self._login_tries = 0
        self._fitted: str | None = None  # the hash that the login fitted
        self._unacknowledged: str | None = None

    def ends_at(self) -> float:
        """The end of the session; within a mail a little longer."""
        grace_s = self.house.settings.timeouts.idle_ms / 1000 if self._mail is not None else 0
        return self.session_ends + grace_s

    async def command(self, line: bytes | None) -> None:
        """Do one command. A fault of ours is a constant 451, whatever it was, and never a 5xx."""
        self._acknowledge()
        if self.house.draining:
            self.say(replies.SHUTTING_DOWN)
            raise Over
        try:
            await self._do(line)
        except (Over, EOFError, ConnectionError, TimeoutError):
            raise
        except Exception:
            _LOG.exception("command failed", extra={"client": self.client.address})
            self.say(replies.FAULT)

    async def _do(self, line: bytes | None) -> None:
        verb, _, argument = (line or b"").partition(b" ")
        known = _COMMANDS.get(verb.upper())
        if line is None or (known is not None and len(line) > known[0]):
            self._mistake(replies.COMMAND_TOO_LONG)
        elif verb in _OF_HTTP:
            self.say(replies.NOT_HTTP)
            raise Over
        elif known is None:
            self._mistake(replies.UNKNOWN_COMMAND if verb.isalpha() else replies.NOT_A_COMMAND)
        else:
            self._idle_commands += 1
            if self._idle_commands > MAX_IDLE_COMMANDS:
                self.say(replies.TOO_MANY_COMMANDS)
                raise Over
            await known[1](self, argument.strip())

    def _mistake(self, reply: Reply) -> None:
        self._mistakes += 1
        if self._mistakes > MAX_MISTAKES:
            self.say(replies.TOO_MANY_ERRORS)
            raise Over
        self.say(reply)

    def _acknowledge(self) -> None:
        """The client sends on: it has seen our last 250."""
        if self._unacknowledged is not None:
            self.house.intake.acknowledge_soon(self._unacknowledged)
            self._unacknowledged = None

    # Hello, TLS

    async def _ehlo(self, argument: bytes) -> None:
        if self._hello(argument):
            self.say(self.house.extensions(self.listener.tls, self.tls_on))

    async def _helo(self, argument: bytes) -> None:
        if self._hello(argument):
            self.say(self.house.hello)

    def _hello(self, argument: bytes) -> bool:
        if not argument:
            self.say(replies.HELO_NAME)
            return False
        self._mail = None
        self._greeted = True
        self._hello_name = argument.split()[0].decode("ascii", "replace")
        return True

    async def _starttls(self, argument: bytes) -> None:
        if self.tls_on:
            self.say(replies.TLS_ALREADY)
        elif self.listener.tls != "starttls":
            self.say(replies.NO_TLS)
        elif argument:
            self.say(replies.NOTHING_BEHIND_STARTTLS)
        else:
            self.say(replies.READY_FOR_TLS)
            self._mail, self._greeted = None, False
            await self.begin_tls()

    # Logins (RFC 4954)

    async def _auth(self, argument: bytes) -> None:
        refused = self._auth_refused()
        if refused is not None:
            self.say(refused)
            return
        mechanism, _, initial = argument.partition(b" ")
        way = {b"PLAIN": self._plain, b"LOGIN": self._login}.get(mechanism.upper())
        if way is None:
            self.say(replies.AUTH_UNKNOWN)
            return
        try:
            user, password = await way(initial.strip() or None)
        except _NoLogin as unusable:
            self._mistake(unusable.reply)
        else:
            await self._check_login(user, password)

    def _auth_refused(self) -> Reply | None:
        if not self._greeted:
            return replies.HELO_FIRST
        if not self.house.logins.any:
            return replies.AUTH_NOT_OFFERED
        if not self.tls_on:
            offered = self.listener.tls == "starttls"
            return replies.AUTH_NEEDS_STARTTLS if offered else replies.AUTH_NEEDS_OTHER_PORT
        if self.client.user is not None:
            return replies.AUTH_ALREADY
        return replies.AUTH_IN_MAIL if self._mail is not None else None

    async def _plain(self, initial: bytes | None) -> tuple[str, bytes]:
        found = commands.plain_login(await self._told(initial, replies.EMPTY_CHALLENGE))
        if found is None:
            raise _NoLogin(replies.AUTH_SYNTAX)
        return found

    async def _login(self, initial: bytes | None) -> tuple[str, bytes]:
        user = await self._told(initial, replies.USER_CHALLENGE)
        return commands.user_name(user), await self._told(None, replies.PASSWORD_CHALLENGE)

    async def _told(self, given: bytes | None, challenge: Reply) -> bytes:
        """What the client answers to a challenge, decoded."""
        if given is None:
            self.say(challenge)
            given = await self.line()
        if given == b"*":
            raise _NoLogin(replies.AUTH_CANCELLED)
        octets = commands.decoded(given) if given is not None else None
        if octets is None:
            raise _NoLogin(replies.AUTH_SYNTAX)
        return octets

    async def _check_login(self, user: str, password: bytes) -> None:
        self.wait_for_ever()
        outcome = await self.house.logins.check(user, password, self.place, self.made_to_wait)
        if outcome is Outcome.GOOD:
            self.client = Client(self.client.address, user)
            self._fitted = self.house.logins.hash_of(user)
            self.say(replies.AUTH_GOOD)
            return
        is_known = self.house.logins.hash_of(user) is not None
        known = user if is_known else "(unknown)"  # it may be a password, misplaced
        extra = {"client": self.client.address, "user": known, "outcome": outcome.value}
        _LOG.warning("login failed", extra=extra)
        self._login_tries += 1
        if self._login_tries >= MAX_LOGIN_TRIES:
            self.say(replies.AUTH_GOODBYE)
            raise Over
        self.say(replies.AUTH_BAD if outcome is Outcome.BAD else replies.AUTH_LATER)

    # The envelope

    async def _mail_from(self, argument: bytes) -> None:
        """MAIL begins a transaction. Who may send is answered at RCPT, where the address is known."""
        if not self._greeted:
            self.say(replies.HELO_FIRST)
            return
        if self._mail is not None:
            self.say(replies.NESTED_MAIL)
            return
        if self.client.user is not None and self.house.logins.hash_of(self.client.user) != self._fitted:
            self.say(replies.AUTH_OVER)
            raise Over
        try:
            said = commands.mail_from(argument.decode("utf-8"))
        except (commands.NotWellFormed, UnicodeDecodeError) as error:
            self.say(_syntax(error, replies.MAIL_SYNTAX, replies.BAD_SENDER))
            return
        standing = self.house.standing(self.client)
        if said.size > self.house.settings.max_size:
            self.say(replies.TOO_BIG)
        elif not self.house.memory.has(said.size, known=standing.known):
            self.say(replies.NO_MEMORY)
        else:
            self._mail = Transaction(self.client, standing, said.sender, said.envelope_id, self._hello_name)
            self.say(replies.SENDER_OK)

    async def _rcpt_to(self, argument: bytes) -> None:
        """RCPT: each recipient is accepted or refused on its own."""
        mail = self._mail
        if mail is None:
            self.say(replies.MAIL_FIRST if self._greeted else replies.HELO_FIRST)
            return
        mail.recipients += 1
        if mail.recipients > MAX_RECIPIENTS:
            self.say(replies.TOO_MANY_RECIPIENTS)
            return
        try:
            said = commands.rcpt_to(argument.decode("utf-8"))
        except (commands.NotWellFormed, UnicodeDecodeError) as error:
            self.say(_syntax(error, replies.RCPT_SYNTAX, replies.BAD_RECIPIENT))
            return
        self.say(_entered(mail, await self.house.intake.recipient(mail, said.address), said.wish))

    async def _rset(self, argument: bytes) -> None:
        if argument:
            self.say(replies.NO_ARGUMENT)
        else:
            self._mail = None
            self.say(replies.OK)

    # The mail

    async def _data(self, argument: bytes) -> None:
        """DATA: the mail, to its end, then one answer for all recipients."""
        mail = self._mail
        if argument:
            self.say(replies.NO_ARGUMENT)
        elif mail is None:
            self.say(replies.MAIL_FIRST if self._greeted else replies.HELO_FIRST)
        elif not mail.targets and mail.special is None:
            self.say(replies.NO_RECIPIENTS if mail.recipients else replies.RCPT_FIRST)
        else:
            self._mail = None
            self._idle_commands = 0
            await self._take(mail)

    async def _take(self, mail: Transaction) -> None:
        as_it_came = mail.special is not None and mail.special.kind == "postmaster"
        collector = Collector(
            Held(self.house.memory, known=mail.standing.known),
            self.house.settings.max_size,
            as_it_came=as_it_came,
            regular=not mail.standing.known,
            signed=mail.standing.signed,
        )
        try:
            await self._collect(collector, known=mail.standing.known)
            self.wait_for_ever()  # a commit is not hurried
            if collector.refusal is not None:
                self._refuse(collector, collector.refusal)
                return
            outcome = await self.house.intake.mail(mail, collector)
        finally:
            collector.close()
        self.say(outcome.reply)
        self._unacknowledged = outcome.unacknowledged

    async def _collect(self, collector: Collector, *, known: bool) -> None:
        """Read the mail to its end. Big ones of strangers share what is left for them, or a few dozen at once would
        make everybody wait for each of their answers."""
        self.say(replies.GO_AHEAD)
        await self.flush()
        self.wait_at_most(self.house.settings.timeouts.data_ms)
        try:
            while (rest := collector.feed(chunk := await self.octets(_READ))) is None:
                if collector.hopeless:
                    self._refuse(collector, collector.refusal or replies.TOO_BIG)
                    raise Over
                if not known and collector.size > SMALL:
                    await asyncio.sleep(self.house.strangers_flow.wait(len(chunk)))
        except (EOFError, ConnectionError):
            _log_unended(self.client, collector)
            raise
        self.give_back(rest)

    def _refuse(self, collector: Collector, refusal: Reply) -> None:
        extra = {"client": self.client.address, "answer": refusal.decode().strip(), "size": collector.size}
        _LOG.info("mail refused", extra=extra)
        self.say(refusal)
        if refusal is replies.BARE_LINE_ENDS:
            raise Over  # what follows may be a smuggled mail

    # The rest

    async def _noop(self, argument: bytes) -> None:
        self.say(replies.OK)

    async def _quit(self, argument: bytes) -> None:
        self.say(replies.BYE)
        raise Over

    async def _help(self, argument: bytes) -> None:
        self.say(replies.HELP)

    async def _vrfy(self, argument: bytes) -> None:
        self.say(replies.CANNOT_VERIFY)

    async def _expn(self, argument: bytes) -> None:
        self.say(replies.NOT_IMPLEMENTED)


class _NoLogin(Exception):
    """The client gave no login that can be looked at."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


def _syntax(error: Exception, syntax: Reply, bad_address: Reply) -> Reply:
    if isinstance(error, commands.UnknownParameter):
        return replies.UNKNOWN_PARAMETER
    if isinstance(error, commands.BadParameter):
        return replies.BAD_PARAMETER
    return bad_address if isinstance(error, commands.NoAddress) else syntax


def _entered(mail: Transaction, found: Target | Special | Reply, wish: Wish | None) -> Reply:
    """Put an accepted recipient into the transaction, with what is to be told of it; the answer to it."""
    if isinstance(found, bytes):
        return found
    if mail.special is not None or (isinstance(found, Special) and mail.targets):
        return replies.ONE_MAIL_EACH
    if isinstance(found, Special):
        mail.special = found
    else:
        mail.targets.append(found)
        if wish is not None:
            for number in found.numbers:
                mail.wishes.setdefault(number, wish)
    return replies.RECIPIENT_OK


def _log_unended(client: Client, collector: Collector) -> None:
    said = "client left within DATA"
    if collector.lone_dot:
        said = "client never sent CRLF.CRLF, only other line ends around its dot"
    _LOG.info(said, extra={"client": client.address, "size": collector.size})


_COMMANDS: Final[dict[bytes, tuple[int, Callable[[Any, bytes], Awaitable[None]]]]] = {
    b"EHLO": (MAX_COMMAND, Conversation._ehlo),
    b"HELO": (MAX_COMMAND, Conversation._helo),
    b"STARTTLS": (MAX_COMMAND, Conversation._starttls),
    b"AUTH": (MAX_LONGEST, Conversation._auth),
    b"MAIL": (MAX_LONG_COMMAND, Conversation._mail_from),
    b"RCPT": (MAX_LONG_COMMAND, Conversation._rcpt_to),
    b"DATA": (MAX_COMMAND, Conversation._data),
    b"RSET": (MAX_COMMAND, Conversation._rset),
    b"NOOP": (MAX_COMMAND, Conversation._noop),
    b"QUIT": (MAX_COMMAND, Conversation._quit),
    b"HELP": (MAX_COMMAND, Conversation._help),
    b"VRFY": (MAX_COMMAND, Conversation._vrfy),
    b"EXPN": (MAX_COMMAND, Conversation._expn),
}
