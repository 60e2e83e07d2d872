"""The conversation with a smarthost, word by word, in both event loops: what goes out when, and what a reply means."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bridge.mail_out import Dead, Later, MailOut, Sent, Smarthost

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
RAW = b"Subject: x\r\n\r\nhello\r\n"
TO = "alex@clinic.example"


class Host:
    """A smarthost that answers each command as ``answers`` says by its first word, else 250; 354 to DATA."""

    def __init__(self, *offers: str, **answers: str) -> None:
        self.offers, self.answers = offers, answers
        self.port = self.connections = 0
        self.packets: list[bytes] = []
        self.commands: list[str] = []
        self.mails: list[bytes] = []
        self.hang_up_after = ""

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        writer.write(b"220 host ESMTP\r\n")
        unread = b""
        while packet := await reader.read(65_536):
            self.packets.append(packet)
            *lines, unread = (unread + packet).split(b"\r\n")
            while lines:
                command = lines.pop(0).decode()
                word = command.partition(" ")[0].lower()
                self.commands.append(command)
                writer.write(f"{self._answer(word)}\r\n".encode())
                if word == self.hang_up_after:
                    return
                if word == "data" and self._answer("data").startswith("354"):
                    mail = b"\r\n".join([*lines, unread])
                    while not mail.endswith(b"\r\n.\r\n") and mail != b".\r\n":
                        more = await reader.read(65_536)
                        if not more:
                            return
                        mail += more
                    self.mails.append(mail.removesuffix(b".\r\n"))
                    lines, unread = [], b""
                    writer.write(f"{self.answers.get('dot', '250 taken')}\r\n".encode())
            await writer.drain()

    def _answer(self, word: str) -> str:
        if word == "ehlo":
            return "\r\n".join([f"250-{one}" for one in ("host", *self.offers)]) + "\r\n250 HELP"
        return self.answers.get(word, "354 go on" if word == "data" else "250 fine")


@asynccontextmanager
async def host(*offers: str, **answers: str) -> AsyncIterator[Host]:
    one = Host(*offers, **answers)

    async def connected(reader: Reader, writer: Writer) -> None:
        try:
            await one(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    one.port = listener.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        listener.close()


@asynccontextmanager
async def out(one: Host, whole_s: float = 20.0) -> AsyncIterator[MailOut]:
    mail_out = MailOut(Smarthost("127.0.0.1", one.port, "starttls"), hello="sms.local", whole_s=whole_s)
    try:
        yield mail_out
    finally:
        await mail_out.close()


async def test_where_it_is_offered_all_commands_go_out_at_once() -> None:
    async with host("PIPELINING") as one, out(one) as mail_out:
        assert isinstance(await mail_out.hand_over("", TO, RAW), Sent)
        assert isinstance(await mail_out.hand_over("", TO, RAW), Sent)
    assert one.mails == [RAW, RAW]
    assert f"MAIL FROM:<>\r\nRCPT TO:<{TO}>\r\nDATA\r\n".encode() in one.packets
    assert one.connections == 1


async def test_else_each_command_waits_for_the_answer_to_the_one_before() -> None:
    async with host() as one, out(one) as mail_out:
        assert isinstance(await mail_out.hand_over("", TO, RAW), Sent)
    assert {b"MAIL FROM:<>\r\n", f"RCPT TO:<{TO}>\r\n".encode(), b"DATA\r\n"} <= set(one.packets)


@pytest.mark.parametrize("offers", [(), ("PIPELINING",)], ids=["one by one", "at once"])
@pytest.mark.parametrize(
    ("answers", "end"),
    [
        ({"mail": "451 later", "rcpt": "503 no", "data": "503 no"}, Later("451 later")),
        ({"mail": "550 never", "rcpt": "503 no", "data": "503 no"}, Dead("550 never")),
        ({"rcpt": "450 busy", "data": "554 no valid recipients"}, Later("450 busy")),
        ({"rcpt": "550 no such user", "data": "503 no"}, Dead("550 no such user")),
        ({"data": "452 full"}, Later("452 full")),
        ({"dot": "554 looks like spam"}, Dead("554 looks like spam")),
        ({"dot": "451 later"}, Later("451 later")),
    ],
)
async def test_a_refusal_means_the_same_either_way_and_the_session_goes_on(
    offers: tuple[str, ...], answers: dict[str, str], end: Later | Dead
) -> None:
    async with host(*offers, **answers) as one, out(one) as mail_out:
        assert await mail_out.hand_over("", TO, RAW) == end
        assert "RSET" in one.commands
        one.answers.clear()
        assert isinstance(await mail_out.hand_over("", TO, RAW), Sent)
    assert one.connections == 1


async def test_a_server_that_waits_for_a_mail_nobody_is_to_get_is_hung_up_on() -> None:
    async with host("PIPELINING", rcpt="550 no such user", data="354 go on") as one, out(one) as mail_out:
        assert await mail_out.hand_over("", TO, RAW) == Dead("550 no such user")
        one.answers.clear()
        assert isinstance(await mail_out.hand_over("", TO, RAW), Sent)
    assert one.connections == 2
    assert one.mails == [RAW]


@pytest.mark.threat(5, "mails of ours ended by their own lines", of="texts")
@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        (b".\r\n.x\r\n..\r\n", b"..\r\n..x\r\n...\r\n"),
        (b"a\r\n.\r\nMAIL FROM:<evil@x.example>\r\n", b"a\r\n..\r\nMAIL FROM:<evil@x.example>\r\n"),
        (b"a\n.\nb", b"a\r\n..\r\nb\r\n"),
        (b"a\r.\r\nb\n", b"a\r\n..\r\nb\r\n"),
        (b"no end", b"no end\r\n"),
    ],
)
async def test_no_line_of_a_mail_ends_it(raw: bytes, sent: bytes) -> None:
    async with host("PIPELINING") as one, out(one) as mail_out:
        assert isinstance(await mail_out.hand_over("", TO, raw), Sent)
    assert one.mails == [sent]


@pytest.mark.parametrize("word", ["mail", "rcpt", "data"])
async def test_a_session_that_breaks_off_is_later(word: str) -> None:
    async with host("PIPELINING") as one, out(one) as mail_out:
        one.hang_up_after = word
        assert isinstance(await mail_out.hand_over("", TO, RAW), Later)


@pytest.mark.parametrize(
    "junk",
    ["hello", "250 fine\r\n250 fine\r\n250 fine\r\n250 fine", "99 x", "600 x", "250-never\r\n" * 9_000],
)
async def test_what_is_no_smtp_is_later_and_never_a_hand_over(junk: str) -> None:
    async with host("PIPELINING", mail=junk) as one, out(one, whole_s=3.0) as mail_out:
        assert isinstance(await mail_out.hand_over("", TO, RAW), Later)
    assert one.mails in ([], [b""])


async def test_a_reply_of_lines_without_a_text_is_too_long_like_any_other() -> None:
    """They counted for nothing: the loop came to a standstill over them, and with it all that comes in."""
    async with host("PIPELINING", mail="250-\r\n" * 50_000 + "250-") as one, out(one) as mail_out:
        async with asyncio.timeout(10.0):
            assert isinstance(await mail_out.hand_over("", TO, RAW), Later)


async def test_what_is_said_unasked_is_not_taken_for_an_answer() -> None:
    async with host("PIPELINING", dot="250 taken\r\n421 closing down") as one, out(one) as mail_out:
        assert isinstance(await mail_out.hand_over("", TO, RAW), Sent)
        assert isinstance(await mail_out.hand_over("", TO, RAW), Sent)
    assert one.connections == 2


async def test_a_reply_of_many_lines_is_one() -> None:
    async with (
        host("PIPELINING", rcpt="550-no\r\n550-such\r\n550 user", data="503 no") as one,
        out(one) as mail_out,
    ):
        assert await mail_out.hand_over("", TO, RAW) == Dead("550 no such user")
