"""A client that comes from an address of its own choice on this machine, so that it can be somebody else."""

import socket
import struct

from tests.mail_in.client import Client


class From(Client):
    """An SMTP client whose connection comes from ``address``, one of 127.0.0.0/8."""

    def __init__(self, address: str, port: int) -> None:
        self.socket = connected(address, port)
        self._read = b""


def connected(address: str, port: int) -> socket.socket:
    """Return a connection from ``address`` to ``port`` of this machine."""
    made = socket.create_connection(("127.0.0.1", port), 30, source_address=(address, 0))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def reset(port: int) -> None:
    """Connect and reset the connection at once, as port scanners and some balancers do."""
    with socket.create_connection(("127.0.0.1", port), 30) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
