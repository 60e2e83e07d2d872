"""One service with everything that an operator may configure: TLS both ways, logins, accounts, brands, DKIM."""

import contextlib
import smtplib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dkim
import httpx
import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.flow.mails import mail
from tests.flow.running import Bridge, Loop, Smarthost, command, serve, wait_for, write_config
from tests.flow.stranger import Stranger
from tests.mail_out.sink import certificate

pytestmark = pytest.mark.traced

PHONE = "+61421000001"
PASSWORD = "correct horse battery"
SECRETS = {
    "SMS_TOKEN": "t0ken-canary",
    "SMS_AUTH_TOKEN": "auth-canary",
    "CLINIC_TOKEN": "clinic-t0ken-canary",
    "CLINIC_AUTH_TOKEN": "clinic-auth-canary",
    "HOOK_SECRET": "hook-secret-canary",
    "HOOK_TOKEN": "hook-t0ken-canary",
    "SMARTHOST_PASSWORD": "smart-canary p@ss/w:rd",
}
# A PNG of one pixel.
LOGO = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082"
)


def login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    """The smarthost's one user."""
    good = LoginPassword(b"bridge@clinic.example", SECRETS["SMARTHOST_PASSWORD"].encode())
    return AuthResult(success=data == good, handled=False)


class Setup:
    """The running service and all that it talks to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        server_tls, self.trusting = certificate(folder)
        self.loop = Loop()
        self.vendor = Stranger(self.loop, "page", server_tls)
        self.smarthost = Smarthost(self.loop, tls_context=server_tls, auth_required=True, authenticator=login)
        self.env = SECRETS | {"SSL_CERT_FILE": str(folder / "localhost.crt")}
        self.record = self._dkim()
        self.config = write_config(folder, self.vendor, None, **self._settings())
        self.bridge: Bridge

    def _dkim(self) -> bytes:
        key = self.folder / "dkim.pem"
        done = command(
            "dkim", "keygen", "--out", str(key), "--domain", "clinic.example", "--selector", "bridge"
        )
        assert done.returncode == 0, done.stderr
        record = next(line for line in done.stdout.splitlines() if "IN TXT" in line)
        return "".join(record.split('"')[1::2]).encode()

    def _settings(self) -> dict[str, Any]:
        crt, key = str(self.folder / "localhost.crt"), str(self.folder / "localhost.key")
        (self.folder / "clinic.png").write_bytes(LOGO)
        own = self.folder / "templates" / "delivered"
        own.mkdir(parents=True)
        (own / "body.txt").write_text("Arrived at its phone. Kind regards, Riverside Clinic\n")
        return {
            "domains": ["sms.local", "sms.clinic.example"],
            "smtp": {
                "listen": [
                    {"address": "127.0.0.1", "port": 0, "tls": "starttls"},
                    {"address": "127.0.0.1", "port": 0, "tls": "implicit"},
                ],
                "certificate": crt,
                "key": key,
                "max_size": "25MB",
                "max_connections": 500,
                "max_per_address": 100,
                "users": "smtp-users.yaml",
            },
            "http": {
                "listen": {"address": "127.0.0.1", "port": 0},
                "url": "https://sms.example.com",
                "certificate": crt,
                "key": key,
            },
            "vendor": {
                "send_url": self.vendor.send_url,
                "rest_url": self.vendor.rest_url,
                "sender": "application@example.com",
                "token": {"env": "SMS_TOKEN"},
                "auth_token": {"env": "SMS_AUTH_TOKEN"},
                "mode": "live",
                "rate": "20/s",
                "accounts": {
                    "clinic": {
                        "sender": "clinic@example.com",
                        "token": {"env": "CLINIC_TOKEN"},
                        "auth_token": {"env": "CLINIC_AUTH_TOKEN"},
                    }
                },
                "price_per_segment": "0.10",
                "prices": {"+642": "0.15"},
                "timezone": "Australia/Sydney",
                "message_prefix": "RIVR",
            },
            "webhook": {
                "secret": {"env": "HOOK_SECRET"},
                "sender": "application@example.com",
                "token": ["ta8wr7ymd", "another-one-canary"],
                "networks": ["127.0.0.0/8"],
            },
            "senders": [
                {
                    "match": ["*@clinic.example"],
                    "proof": ["auth"],
                    "users": ["clinic-relay"],
                    "brand": "clinic",
                    "account": "clinic",
                    "prefixes": ["+614"],
                    "limits": {"recipients": 20, "segments": 3},
                    "reports": {"when": ["failed", "delivered", "reply"], "to": "sender"},
                    "text": {"cut": "auto", "too_long": "refuse"},
                },
                {
                    "match": ["ups@plant.example"],
                    "proof": ["network"],
                    "networks": ["127.0.0.0/8"],
                    "mode": "test",
                    "on_unknown": "resend",
                    "text": {"cut": "none", "too_long": "cut"},
                    "reports": {"when": ["failed"], "to": "admin@plant.example"},
                },
            ],
            "prefixes": {"allow": ["+614", "+642"], "deny": ["+61490"]},
            "aliases": {"oncall": ["0421000001", "0421000002"]},
            "outbox": {
                "smarthost": f"smtp://bridge%40clinic.example:{{password}}@localhost:{self.smarthost.port}",
                "password": {"env": "SMARTHOST_PASSWORD"},
                "dkim": {
                    "domain": "clinic.example",
                    "selector": "bridge",
                    "key": str(self.folder / "dkim.pem"),
                },
            },
            "brands": {
                "default": {"name": "SMS Bridge", "from": "sms@clinic.example"},
                "clinic": {
                    "name": "Riverside Clinic",
                    "logo": "clinic.png",
                    "accent": "#0a7d6c",
                    "footer": "Riverside Clinic, 1 River St",
                    "from": "sms@clinic.example",
                    "templates": "templates",
                },
            },
        }

    def start(self) -> None:
        added = command(
            "user",
            "add",
            "--smtp",
            "clinic-relay",
            "-c",
            str(self.config),
            stdin=PASSWORD + "\n",
            env=self.env,
        )
        assert added.returncode == 0, added.stderr
        checked = command("check-config", str(self.config), env=self.env)
        assert checked.returncode == 0, checked.stderr
        self.bridge = serve(self.config, env=self.env)

    @property
    def hook(self) -> str:
        return f"https://localhost:{self.bridge.ports['hook']}/hooks/sms/{SECRETS['HOOK_SECRET']}"

    def close(self) -> None:
        self.smarthost.close()
        self.vendor.close()
        self.loop.close()


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    made = Setup(tmp_path)
    with contextlib.closing(made):
        made.start()
        yield made
        assert made.bridge.stop() == 0
        told = "".join(made.bridge.lines)
        assert "Traceback" not in told
        for secret in (*SECRETS.values(), PASSWORD):
            assert secret not in told


def test_the_example_configuration_with_everything_in_it(setup: Setup) -> None:
    starttls, implicit = setup.bridge.ports["smtp"]
    with smtplib.SMTP("localhost", starttls, timeout=30) as client:
        client.starttls(context=setup.trusting)
        client.login("clinic-relay", PASSWORD)
        client.send_message(mail("Over STARTTLS"), "jo@clinic.example", ["oncall@sms.local"])
    with smtplib.SMTP_SSL("localhost", implicit, timeout=30, context=setup.trusting) as client:
        client.login("clinic-relay", PASSWORD)
        client.send_message(mail("Over port 465"), "jo@clinic.example", ["0421000003@sms.clinic.example"])
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("jo@clinic.example", ["+61490000001@sms.local"], mail("Denied").as_bytes())
    with smtplib.SMTP("localhost", starttls, timeout=30) as client:
        client.send_message(
            mail("On battery", sender="ups@plant.example"), "ups@plant.example", ["0421000009@sms.local"]
        )

    made = wait_for("the four SMS", lambda: len(setup.vendor.made) == 4 and setup.vendor.made)
    assert isinstance(made, list)
    forms = {one.number: one.form for one in made}
    assert forms[PHONE]["Sender"] == "clinic@example.com"
    assert forms[PHONE]["Token"] == SECRETS["CLINIC_TOKEN"]
    assert forms[PHONE]["MessageID"].startswith("RIVR")
    assert forms["+61421000003"]["Message"] == "Over port 465"
    assert forms["+61421000009"]["Mode"] == "Test"
    assert forms["+61421000009"]["Sender"] == "application@example.com"

    first = next(one for one in made if one.number == PHONE)
    said = setup.vendor.tell(setup.hook, first, "SUCCESS", "delivered", verify=setup.trusting)
    assert said.status_code == 200
    report = wait_for("the report", lambda: setup.smarthost.about("Kind regards, Riverside Clinic"))[0]
    assert report.to == ("jo@clinic.example",)
    pictures = [part for part in report.parsed.walk() if part.get_content_maintype() == "image"]
    assert [part.get_content() for part in pictures] == [LOGO]

    said = setup.vendor.tell(setup.hook, first, "RECEIVED", "RECEIVED", "On my way", verify=setup.trusting)
    assert said.status_code == 200
    wait_for("the reply", lambda: setup.smarthost.about("On my way"))
    for one in setup.smarthost.mails:
        assert one.parsed["DKIM-Signature"]
        octets = one.raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        assert dkim.verify(octets, dnsfunc=lambda name, timeout=5: setup.record)


def test_many_clients_at_once_are_served_on_the_port_with_implicit_tls(setup: Setup) -> None:
    """Their hello often comes together with the connection, before the service has looked at either."""

    def call(_: int) -> int:
        port = setup.bridge.ports["smtp"][1]
        with smtplib.SMTP_SSL("localhost", port, timeout=60, context=setup.trusting) as client:
            return client.noop()[0]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(call, range(40))) == [250] * 40


def test_the_wrong_password_is_refused_and_nothing_is_sent(setup: Setup) -> None:
    with smtplib.SMTP_SSL(
        "localhost", setup.bridge.ports["smtp"][1], timeout=30, context=setup.trusting
    ) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("clinic-relay", "wrong horse battery")
        code, _ = client.docmd("MAIL FROM:<jo@clinic.example>")
        refused, said = client.docmd("RCPT TO:<0421000001@sms.local>")
        assert (code, refused) == (250, 250) or refused == 550, said
        if refused == 250:  # the network rule is a candidate still; the From decides it
            code, said = client.data(mail("Not proven").as_bytes())
            assert code == 550, said
    assert setup.vendor.made == []
    assert httpx.get(f"{setup.bridge.desk}/readyz", trust_env=False).status_code == 200
