"""A name server on loopback, over UDP and TCP, that tells what a test puts into its zone."""

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Literal

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT
import dns.rrset

Trouble = Literal["silence", "servfail"]
Record = str | bytes | tuple[bytes, ...]

TTL = 60
_SOA = "ns.example. root.example. 1 3600 600 86400 60"


class NameServer:
    """What it tells, and what it was asked. ``zone[name][kind]`` are records as text, TXT also as octets.

    ``trouble[name]`` makes it fail there; ``after`` records of a kind that is there are told all the same.
    """

    def __init__(self) -> None:
        self.zone: dict[str, dict[str, list[Record]]] = {}
        self.trouble: dict[str, Trouble] = {}
        self.asked: list[tuple[str, str]] = []
        self.over_tcp = 0
        self.junk_first = False
        self._tcp, self._udp = _one_port()
        self.port: int = self._udp.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="name-server", daemon=True)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def put(self, name: str, kind: str, *records: Record) -> None:
        """Set the records of one kind at a name; none takes them away."""
        self.zone.setdefault(name.lower(), {})[kind] = list(records)

    def txt(self, name: str, *records: str | bytes) -> None:
        self.put(name, "TXT", *records)

    def close(self) -> None:
        self._wake.send(b"x")
        self._thread.join(5)
        for one in (self._udp, self._tcp, self._wake, self._woken):
            one.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as ready:
            for one in (self._udp, self._tcp, self._woken):
                ready.register(one, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    if key.fileobj is self._woken:
                        return
                    if key.fileobj is self._udp:
                        self._datagram()
                    else:
                        self._connection()

    def _datagram(self) -> None:
        octets, peer = self._udp.recvfrom(4_096)
        query = dns.message.from_wire(octets)
        answer = self._answer(query)
        if answer is None:
            return
        wire = answer.to_wire(max_size=65_535)
        if len(wire) > max(query.payload, 512):
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.TC
            wire = answer.to_wire()
        if self.junk_first:  # what a forger who does not see our question could send
            wrong = bytes([wire[0] ^ 255]) + wire[1:]
            self._udp.sendto(wrong, peer)
            self._udp.sendto(b"junk", peer)
        self._udp.sendto(wire, peer)

    def _connection(self) -> None:
        with self._tcp.accept()[0] as stream, contextlib.suppress(OSError):
            stream.settimeout(5)
            [size] = struct.unpack("!H", stream.recv(2, socket.MSG_WAITALL))
            answer = self._answer(dns.message.from_wire(stream.recv(size, socket.MSG_WAITALL)))
            if answer is not None:
                self.over_tcp += 1
                wire = answer.to_wire(max_size=65_535)
                stream.sendall(struct.pack("!H", len(wire)) + wire)

    def _answer(self, query: dns.message.Message) -> dns.message.Message | None:
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        name = b".".join(question.name.labels).decode("latin-1").rstrip(".").lower()
        self.asked.append((name, kind))
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        for _ in range(20):
            here = self.zone.get(name)
            if here and here.get(kind):
                answer.answer.append(_rrset(name, kind, here[kind]))
                return answer
            trouble = self.trouble.get(name)
            if trouble == "silence":
                return None
            if trouble == "servfail":
                answer.set_rcode(dns.rcode.SERVFAIL)
                return answer
            if not here or not here.get("CNAME"):
                break
            answer.answer.append(_rrset(name, "CNAME", here["CNAME"]))
            name = str(here["CNAME"][0]).rstrip(".").lower()
        if name not in self.zone and not any(other.endswith(f".{name}") for other in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        answer.authority.append(dns.rrset.from_text(".", TTL, "IN", "SOA", _SOA))
        return answer


def _one_port() -> tuple[socket.socket, socket.socket]:
    """A TCP and a UDP socket on one free port."""
    for _ in range(50):
        tcp = socket.create_server(("127.0.0.1", 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
        else:
            return tcp, udp
    raise OSError("no port is free for both")


def _rrset(name: str, kind: str, records: list[Record]) -> dns.rrset.RRset:
    owner = dns.name.Name([*name.encode("latin-1").split(b"."), b""])
    made = dns.rrset.RRset(owner, dns.rdataclass.IN, dns.rdatatype.from_text(kind))
    for record in records:
        made.add(_rdata(kind, record), TTL)
    return made


def _rdata(kind: str, record: Record) -> dns.rdata.Rdata:
    if kind != "TXT":
        assert isinstance(record, str)
        return dns.rdata.from_text("IN", kind, record)
    if isinstance(record, tuple):
        strings = record or (b"",)
    else:
        octets = record.encode() if isinstance(record, str) else record
        strings = tuple(octets[at : at + 255] for at in range(0, len(octets), 255)) or (b"",)
    return dns.rdtypes.ANY.TXT.TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings)


@contextlib.contextmanager
def running() -> Iterator[NameServer]:
    """A name server that runs."""
    server = NameServer()
    try:
        yield server
    finally:
        server.close()
