"""Every SMTP answer, as octets. Owns the promise that each is one line of ASCII from constants and checked values.

RFC 5321, 4.2 (codes), RFC 3463 (enhanced codes).
"""

import re
from collections.abc import Sequence
from typing import Final, NewType

from bridge.decide import Refuse

Reply = NewType("Reply", bytes)

_LINE: Final = re.compile(r"[2345][0-9]{2} [ -~]{1,500}")
_UNFIT: Final = re.compile(r"[^ -~]")


def checked(line: str) -> Reply:
    """``line`` as an answer. What is no such line (a fault of ours) becomes the constant 451."""
    if _LINE.fullmatch(line):
        return Reply(line.encode("ascii") + b"\r\n")
    return FAULT


def several(names: Sequence[str]) -> Reply:
    """The answer to EHLO: the one that has a line for each extension (RFC 5321, 4.1.1.1)."""
    lines = [checked(f"250 {name}") for name in names]
    return Reply(b"".join(b"250-" + line[4:] for line in lines[:-1]) + lines[-1])


def refusal(refuse: Refuse) -> Reply:
    """A decided refusal as an answer; an octet that must not stand there becomes ``?``."""
    return checked(_UNFIT.sub("?", str(refuse))[:500])


FAULT: Final = Reply(b"451 4.3.0 a fault of ours; please try again later\r\n")
STORE_DOWN: Final = Reply(b"451 4.3.0 the message store is not available; please try again later\r\n")
SHUTTING_DOWN: Final = Reply(b"421 4.3.2 shutting down; please try again soon\r\n")
TOO_MANY_CONNECTIONS: Final = Reply(b"421 4.3.2 too many connections; please try again later\r\n")
TOO_MANY_FROM_YOU: Final = Reply(b"421 4.3.2 too many connections from your address\r\n")
NO_PROXY_HEADER: Final = Reply(
    b"421 4.3.5 a connection from your address must begin with a header of the PROXY protocol\r\n"
)
TIMED_OUT: Final = Reply(b"421 4.4.2 time is up; closing\r\n")
TOO_MANY_ERRORS: Final = Reply(b"421 4.7.0 too many errors; closing\r\n")
NOT_HTTP: Final = Reply(b"421 4.7.0 this is SMTP and no web server; closing\r\n")
TOO_MANY_COMMANDS: Final = Reply(b"421 4.7.0 too many commands without a mail; closing\r\n")

OK: Final = Reply(b"250 2.0.0 OK\r\n")
SENDER_OK: Final = Reply(b"250 2.1.0 OK\r\n")
RECIPIENT_OK: Final = Reply(b"250 2.1.5 OK\r\n")
BYE: Final = Reply(b"221 2.0.0 bye\r\n")
GO_AHEAD: Final = Reply(b"354 end the mail with <CR><LF>.<CR><LF>\r\n")
READY_FOR_TLS: Final = Reply(b"220 2.0.0 ready to start TLS\r\n")
HELP: Final = Reply(
    b"214 2.0.0 mail to <number>@ our domain is sent as SMS; see RFC 5321 for the commands\r\n"
)
CANNOT_VERIFY: Final = Reply(b"252 2.1.5 try RCPT to see what is taken\r\n")

UNKNOWN_COMMAND: Final = Reply(b"500 5.5.1 unknown command\r\n")
NOT_A_COMMAND: Final = Reply(b"500 5.5.2 that is not a command\r\n")
COMMAND_TOO_LONG: Final = Reply(b"500 5.5.2 the command is too long\r\n")
NOT_IMPLEMENTED: Final = Reply(b"502 5.5.1 not implemented\r\n")
HELO_FIRST: Final = Reply(b"503 5.5.1 say HELO or EHLO first\r\n")
HELO_NAME: Final = Reply(b"501 5.5.4 say HELO or EHLO and your name\r\n")
NO_ARGUMENT: Final = Reply(b"501 5.5.4 that command takes no argument\r\n")
MAIL_FIRST: Final = Reply(b"503 5.5.1 need MAIL first\r\n")
RCPT_FIRST: Final = Reply(b"503 5.5.1 need RCPT first\r\n")
NO_RECIPIENTS: Final = Reply(b"554 5.5.1 no recipient was accepted\r\n")
NESTED_MAIL: Final = Reply(b"503 5.5.1 a mail is already begun; send RSET to begin another\r\n")
MAIL_SYNTAX: Final = Reply(b"501 5.5.4 write it like MAIL FROM:<you@example.com>\r\n")
RCPT_SYNTAX: Final = Reply(b"501 5.5.4 write it like RCPT TO:<number@domain>\r\n")
BAD_SENDER: Final = Reply(b"553 5.1.7 that sender address is not well-formed\r\n")
BAD_RECIPIENT: Final = Reply(b"553 5.1.3 that recipient address is not well-formed\r\n")
UNKNOWN_PARAMETER: Final = Reply(b"555 5.5.4 a parameter is not known here\r\n")
BAD_PARAMETER: Final = Reply(b"501 5.5.4 a parameter is not well-formed\r\n")
TOO_MANY_RECIPIENTS: Final = Reply(b"452 4.5.3 too many recipients; send the rest in another mail\r\n")
ONE_MAIL_EACH: Final = Reply(b"452 4.5.3 that address takes a mail of its own; send it separately\r\n")
NO_SUCH_KEY: Final = Reply(b"550 5.1.1 no such address here\r\n")

TOO_BIG: Final = Reply(b"552 5.3.4 the mail is too big\r\n")
TOO_BIG_FOR_POSTMASTER: Final = Reply(b"552 5.3.4 a mail to postmaster may have 1 MiB\r\n")
TOO_MANY_LINES: Final = Reply(b"552 5.3.4 the mail has too many lines\r\n")
LINE_TOO_LONG: Final = Reply(b"500 5.5.2 a line of the mail is over 65536 octets\r\n")
BARE_LINE_ENDS: Final = Reply(b"521 5.5.2 lines must end with CRLF, and NUL is not allowed\r\n")
NO_MEMORY: Final = Reply(b"452 4.3.1 too many mails at once; please try again soon\r\n")
POSTMASTER_FULL: Final = Reply(b"450 4.7.1 at most 10 mails an hour to postmaster from your address\r\n")
REPLIES_FULL: Final = Reply(b"450 4.7.1 too many mails to that address; please try again later\r\n")

TLS_ALREADY: Final = Reply(b"503 5.5.1 TLS is already on\r\n")
NO_TLS: Final = Reply(b"502 5.5.1 TLS is not offered here\r\n")
NOTHING_BEHIND_STARTTLS: Final = Reply(b"501 5.5.4 nothing may follow STARTTLS\r\n")
AUTH_NEEDS_STARTTLS: Final = Reply(b"538 5.7.11 use STARTTLS before you log in\r\n")
AUTH_NEEDS_OTHER_PORT: Final = Reply(b"538 5.7.11 logging in needs TLS, which this port does not offer\r\n")
AUTH_NOT_OFFERED: Final = Reply(b"502 5.5.1 there are no logins on this server\r\n")
AUTH_ALREADY: Final = Reply(b"503 5.5.1 already logged in\r\n")
AUTH_IN_MAIL: Final = Reply(b"503 5.5.1 log in before MAIL\r\n")
AUTH_UNKNOWN: Final = Reply(b"504 5.5.4 use AUTH PLAIN or AUTH LOGIN\r\n")
AUTH_SYNTAX: Final = Reply(b"501 5.5.2 the login cannot be decoded\r\n")
AUTH_CANCELLED: Final = Reply(b"501 5.7.0 login cancelled\r\n")
AUTH_GOOD: Final = Reply(b"235 2.7.0 logged in\r\n")
AUTH_BAD: Final = Reply(b"535 5.7.8 user or password is wrong\r\n")
AUTH_LATER: Final = Reply(b"454 4.7.0 too many failed logins; please try again later\r\n")
AUTH_GOODBYE: Final = Reply(b"421 4.7.0 too many failed logins; closing\r\n")
AUTH_OVER: Final = Reply(b"421 4.7.0 that login was changed or removed; please log in again\r\n")
EMPTY_CHALLENGE: Final = Reply(b"334 \r\n")
USER_CHALLENGE: Final = Reply(b"334 VXNlcm5hbWU6\r\n")
PASSWORD_CHALLENGE: Final = Reply(b"334 UGFzc3dvcmQ6\r\n")
