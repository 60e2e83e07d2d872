"""Real mail clients against the real server: what they send by themselves is what our users send."""

import asyncio
import smtplib
import ssl
import subprocess
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests import programs
from tests.mail_in.conftest import PASSWORD, STRANGERS, Starter

NUMBER = "0421000001@sms.local"
PLANT = "ups@plant.example"
CLINIC = "desk@clinic.example"


async def run(*command: str, stdin: bytes = b"") -> str:
    """Run a program; its output. Fails when it fails."""

    def call() -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False
        )

    done = await asyncio.to_thread(call)
    output = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, output
    return output


def mail(sender: str, text: str) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, NUMBER, "Test"
    made["Message-ID"] = "<1@client.example>"
    made.set_content(text)
    return made


@pytest.mark.threat(23, "not served", of="ways of honest clients")
async def test_smtplib_sends_plainly(start: Starter) -> None:
    server = await start()

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", server.port) as client:
            assert client.send_message(mail(PLANT, "Über die Straße\n.\n..\nEnde")) == {}

    await asyncio.to_thread(send)
    assert [sms.text for sms in await server.sms()] == ["Über die Straße\n.\n..\nEnde"]


@pytest.mark.threat(23, "not served", of="ways of honest clients")
async def test_smtplib_sends_with_starttls_and_login(start: Starter, trusting: ssl.SSLContext) -> None:
    server = await start("starttls", policy=STRANGERS)

    def send() -> None:
        with smtplib.SMTP("localhost", server.port) as client:
            client.starttls(context=trusting)
            client.login("Clinic", PASSWORD)
            client.send_message(mail(CLINIC, "See you at nine"))

    await asyncio.to_thread(send)
    assert [line.sender for line in await server.lines()] == [CLINIC]


@pytest.mark.threat(23, "not served", of="ways of honest clients")
async def test_smtplib_sends_over_implicit_tls_with_auth_login(
    start: Starter, trusting: ssl.SSLContext
) -> None:
    server = await start("implicit", policy=STRANGERS)

    def send() -> None:
        with smtplib.SMTP_SSL("localhost", server.port, context=trusting) as client:
            client.ehlo()
            client.user, client.password = "clinic", PASSWORD
            client.auth("LOGIN", client.auth_login)
            client.send_message(mail(CLINIC, "See you at nine"))

    await asyncio.to_thread(send)
    assert len(await server.sms()) == 1


async def test_smtplib_is_told_that_a_login_is_wrong(start: Starter, trusting: ssl.SSLContext) -> None:
    server = await start("implicit", policy=STRANGERS)

    def send() -> None:
        with smtplib.SMTP_SSL("localhost", server.port, context=trusting) as client:
            client.login("clinic", "wrong")

    with pytest.raises(smtplib.SMTPAuthenticationError, match="user or password is wrong"):
        await asyncio.to_thread(send)


@pytest.mark.threat(23, "not served", of="ways of honest clients")
async def test_smtplib_sends_utf8_addresses(start: Starter) -> None:
    server = await start()

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", server.port) as client:
            raw = "From: ups@plant.example\r\nSubject: x\r\n\r\nGrüße\r\n".encode()
            client.sendmail("jürgen@plant.example", [NUMBER], raw, mail_options=["SMTPUTF8", "BODY=8BITMIME"])

    await asyncio.to_thread(send)
    assert [sms.text for sms in await server.sms()] == ["Grüße"]


@pytest.mark.threat(23, "not served", of="ways of honest clients")
async def test_swaks_sends_plainly_and_pipelined(start: Starter) -> None:
    server = await start()
    program = programs.needed("swaks")
    to = ("--server", "127.0.0.1", "--port", str(server.port), "--from", PLANT, "--to", NUMBER)
    await run(program, *to, "--body", "one")
    await run(program, *to, "--body", "two", "--pipeline")
    await run(program, *to, "--body", "three", "--protocol", "SMTP")
    assert [sms.text for sms in await server.sms()] == ["one", "two", "three"]


@pytest.mark.threat(23, "not served", of="ways of honest clients")
async def test_curl_sends_plainly_and_logs_in(start: Starter, certificate: tuple[str, str]) -> None:
    server = await start("none", "starttls", "implicit")
    program = programs.needed("curl")
    common = ("-sS", "--mail-rcpt", NUMBER, "-T", "-", "--cacert", certificate[0])
    await run(
        program, *common, f"smtp://127.0.0.1:{server.ports[0]}", "--mail-from", PLANT,
        stdin=b"From: ups@plant.example\r\n\r\none\r\n",
    )  # fmt: skip
    for scheme, port in (("smtp", server.ports[1]), ("smtps", server.ports[2])):
        await run(
            program, *common, f"{scheme}://localhost:{port}", "--ssl-reqd", "--mail-from", CLINIC,
            "-u", f"clinic:{PASSWORD}", stdin=f"From: {CLINIC}\r\n\r\nby {scheme}\r\n".encode(),
        )  # fmt: skip
    assert [sms.text for sms in await server.sms()] == ["one", "by smtp", "by smtps"]


@pytest.mark.threat(23, "not served", of="ways of honest clients")
async def test_msmtp_sends_plainly_and_logs_in(start: Starter, certificate: tuple[str, str]) -> None:
    server = await start("none", "starttls")
    program = programs.needed("msmtp")
    await run(
        program, "--host=127.0.0.1", f"--port={server.ports[0]}", "--auth=off", "--tls=off", f"--from={PLANT}", NUMBER,
        stdin=b"From: ups@plant.example\nSubject: x\n\n.one\n",
    )  # fmt: skip
    await run(
        program, "--host=localhost", f"--port={server.ports[1]}", "--auth=plain", "--user=clinic", "--tls=on",
        "--tls-starttls=on", f"--tls-trust-file={certificate[0]}", f"--passwordeval=echo '{PASSWORD}'",
        f"--from={CLINIC}", NUMBER, stdin=f"From: {CLINIC}\n\ntwo\n".encode(),
    )  # fmt: skip
    assert [sms.text for sms in await server.sms()] == [".one", "two"]


@pytest.mark.threat(23, "not served", of="ways of honest clients")
async def test_postfixs_load_generator_finds_no_fault(start: Starter, tmp_path: Path) -> None:
    server = await start()
    program = programs.needed("smtp-source")
    for reuse in ((), ("-d",)):
        await run(
            program, *reuse, "-s", "8", "-m", "60", "-l", "200", "-f", PLANT, "-t", NUMBER,
            f"127.0.0.1:{server.port}",
        )  # fmt: skip
    assert len(await server.sms()) == 120
