"""Are the ports free, or is it the bridge itself that holds them?"""

import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Collection, Iterator

from bridge.cli.doctor.finding import TIMEOUT_S, Finding, fault, ok, reason, warning
from bridge.config import Config, Endpoint, Listener
from bridge.rules import Network

_MAX_GREETING = 512  # octets: more than a reply line may have (RFC 5321, 4.5.3.1.5)
_MAX_ANSWER = 16_384  # octets: the headers of a page and a word


def listeners(config: Config) -> Iterator[Finding]:
    """Yield a finding for each port of the configuration."""
    for smtp in config.smtp.listen:
        where = f"SMTP {_place(smtp)}"
        yield _free(where, smtp) or _greeted(where, smtp, config.smtp.balancers)
    yield from _http("webhook", config.http.listen, tls=config.http.certificate is not None)
    yield from _http("desk", config.desk.listen, tls=False)


def _http(name: str, place: Endpoint, *, tls: bool) -> Iterator[Finding]:
    where = f"{name} {_place(place)}"
    yield _free(where, place) or _alive(where, place, tls=tls)


def _free(where: str, place: Endpoint | Listener) -> Finding | None:
    """A finding when the port is free or can never be had; None when something listens there."""
    family = socket.AF_INET6 if ":" in place.address else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((place.address, place.port))
        except PermissionError as error:
            return fault(where, f"{reason(error)}: ports below 1024 need CAP_NET_BIND_SERVICE")
        except OSError as error:
            return None if _answers(place) else fault(where, f"cannot listen: {reason(error)}")
    return ok(where, "free to listen on" if place.port else "any free port is taken")


def _answers(place: Endpoint | Listener) -> bool:
    with contextlib.suppress(OSError), _connection(place):
        return True
    return False


def _greeted(where: str, place: Listener, balancers: Collection[Network]) -> Finding:
    """Whether an SMTP listener greets as this bridge does. To one of ``balancers`` it does so behind a header."""
    try:
        with _connection(place, tls=place.tls == "implicit", balancers=balancers) as stream:
            greeting = stream.recv(_MAX_GREETING)
    except OSError as error:
        return fault(where, f"taken by a program that does not greet: {reason(error)}; stop it")
    if greeting.startswith(f"220 {socket.gethostname()} ESMTP".encode("ascii", "replace")):
        return ok(where, "the bridge listens here now")
    if greeting.startswith((b"421", b"220")):
        return warning(where, "taken by an SMTP server: stop it, unless it is this bridge and busy")
    return fault(where, "taken by another program: stop it, or choose another port")


def _alive(where: str, place: Endpoint, *, tls: bool) -> Finding:
    """Whether an HTTP listener answers /readyz as the bridge does."""
    try:
        with _connection(place, tls=tls) as stream:
            stream.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            while len(answer) < _MAX_ANSWER and (more := stream.recv(_MAX_ANSWER)):
                answer += more
    except OSError:
        answer = b""
    body = answer.partition(b"\r\n\r\n")[2]
    if body.startswith(b"ready"):
        return ok(where, "the bridge listens here now, and is ready")
    if body.startswith(b"not ready"):
        return warning(where, "the bridge listens here now, and is not ready: look into its log")
    return fault(where, "taken by another program: stop it, or choose another port")


@contextlib.contextmanager
def _connection(
    place: Endpoint | Listener, *, tls: bool = False, balancers: Collection[Network] = ()
) -> Iterator[socket.socket]:
    """A connection to a port of this machine. Its certificate is looked at elsewhere."""
    address = ipaddress.ip_address(place.address)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(str(address), str(address))  # noqa: S104
    with socket.create_connection((host, place.port), TIMEOUT_S) as plain:
        own = ipaddress.ip_address(plain.getsockname()[0])
        if any(own in network for network in balancers):
            plain.sendall(b"PROXY UNKNOWN\r\n")
        if not tls:
            yield plain
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(plain) as secure:
            yield secure


def _place(place: Endpoint | Listener) -> str:
    return f"[{place.address}]:{place.port}" if ":" in place.address else f"{place.address}:{place.port}"
