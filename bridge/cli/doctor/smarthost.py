"""Does the smarthost take us? It is greeted, TLS and login are tried, no mail is handed over."""

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Iterator

from bridge.cli.doctor.finding import TIMEOUT_S, Finding, fault, ok, reason, warning
from bridge.config import Config, Smarthost


def smarthost(config: Config) -> Iterator[Finding]:
    """Yield whether mails of ours can be handed over. A server's own words are not shown: some repeat ours."""
    host = config.outbox.smarthost
    if host is None:
        yield warning("smarthost", "none configured: reports are kept and shown on the desk, not sent")
        return
    what = f"smarthost {host.host}:{host.port}"
    try:
        yield ok(what, _greet(host))
    except ssl.SSLCertVerificationError as error:
        yield fault(what, f"its certificate is not valid: {error.verify_message}")
    except ssl.SSLError as error:
        yield fault(what, f"TLS fails ({error.reason}): smtps:// is TLS from the start, smtp:// is STARTTLS")
    except smtplib.SMTPException as error:
        yield fault(what, _refused(error))
    except OSError as error:
        yield fault(what, f"cannot be reached: {reason(error)}; check host, port and firewall")


def _greet(host: Smarthost) -> str:
    context = ssl.create_default_context()
    name = socket.gethostname()
    if host.tls == "implicit":
        secure = smtplib.SMTP_SSL(host.host, host.port, name, timeout=TIMEOUT_S, context=context)
        with _goodbye(secure):
            return _logged_in(secure, host, secure=True)
    client = smtplib.SMTP(host.host, host.port, name, timeout=TIMEOUT_S)
    with _goodbye(client):
        client.ehlo()
        offered = client.has_extn("starttls")
        if offered:
            client.starttls(context=context)
        return _logged_in(client, host, secure=offered)


@contextlib.contextmanager
def _goodbye(client: smtplib.SMTP) -> Iterator[None]:
    """Say QUIT at the end; what a server thinks of that is of no interest."""
    try:
        yield
    finally:
        with contextlib.suppress(smtplib.SMTPException, OSError):
            client.quit()
        client.close()


def _logged_in(client: smtplib.SMTP, host: Smarthost, *, secure: bool) -> str:
    said = "answers with TLS" if secure else "answers without TLS"
    if not host.user:
        return said
    if not secure:
        raise _NoTls
    client.login(host.user, host.password.get_secret_value() if host.password else "")
    return f"{said} and accepts our login"


class _NoTls(smtplib.SMTPException):
    """A password is never sent in the clear."""


def _refused(error: smtplib.SMTPException) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"refuses user or password ({error.smtp_code}): check outbox.smarthost and outbox.password"
    if isinstance(error, _NoTls):
        return "offers no TLS, and a password is never sent without: use smtps:// or another port"
    if isinstance(error, smtplib.SMTPNotSupportedError) or type(error) is smtplib.SMTPException:
        return "offers no login that we can use: take the user out of outbox.smarthost, or use another port"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"refuses the session ({error.smtp_code}): does it take mail from this machine?"
    return "closes the connection or does not speak SMTP: check host and port"
