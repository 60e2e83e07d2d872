"""A bare SMTP client on a socket: says exactly what it is told, octet by octet."""

import socket
import ssl


class Client:
    """A blocking client; to be used in a thread beside the server's event loop."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, timeout: float = 30.0) -> None:
        self.socket: socket.socket = socket.create_connection(("127.0.0.1", port), timeout)
        if tls is not None:
            self.start_tls(tls)
        self._read = b""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def start_tls(self, tls: ssl.SSLContext) -> None:
        self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def line(self) -> str:
        """The next line of an answer; empty when the server has closed."""
        while b"\r\n" not in self._read:
            try:
                more = self.socket.recv(65_536)
            except ConnectionError:
                more = b""
            if not more:
                rest, self._read = self._read, b""
                return rest.decode("ascii")
            self._read += more
        line, _, self._read = self._read.partition(b"\r\n")
        return line.decode("ascii")

    def answer(self) -> str:
        """A whole answer, its lines joined by newlines."""
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return "\n".join(lines)

    def say(self, command: str) -> str:
        """Send a command, get its answer."""
        self.send(command.encode("utf-8") + b"\r\n")
        return self.answer()

    def envelope(self, *recipients: str, sender: str = "ups@plant.example", hello: bool = True) -> list[str]:
        """Greeting, EHLO, MAIL and RCPTs; the answers to the RCPTs."""
        if hello:
            assert self.answer().startswith("220 "), "no greeting"
            assert self.say("EHLO client.example").startswith("250")
        assert self.say(f"MAIL FROM:<{sender}>").startswith("250 ")
        return [self.say(f"RCPT TO:<{recipient}>") for recipient in recipients]

    def mail(self, octets: bytes) -> str:
        """DATA with these octets and the final dot; the answer."""
        assert self.say("DATA").startswith("354 "), "DATA was not taken"
        self.send(octets + (b"" if octets.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        return self.answer()
