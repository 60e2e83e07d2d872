"""The digest of a body that comes in pieces: dkimpy's of the whole, and cheap whatever it holds."""

import hashlib
import time

import pytest
from dkim.canonicalization import CanonicalizationPolicy
from hypothesis import given
from hypothesis import strategies as st

from bridge.proving import BodyDigest
from tests.threats import found

MIB = 1024 * 1024
HEAD = b"From: a@clinic.example\r\n\r\n"
_WORDS = st.sampled_from([b"a", b" ", b"\t", b"  ", b"\r\n", b" \r\n", b"\t \r\n", b"b c", b"\r\n\r\n\r\n"])


def digest(pieces: list[bytes]) -> tuple[bytes, bytes]:
    one = BodyDigest()
    for piece in (HEAD, *pieces):
        one.feed(piece)
    digests = one.digests()
    return digests.simple, digests.relaxed


@given(st.lists(st.lists(_WORDS, max_size=8).map(b"".join), max_size=8))
def test_it_is_that_of_the_whole_body_wherever_it_is_cut(pieces: list[bytes]) -> None:
    policy = CanonicalizationPolicy.from_c_value(b"relaxed/relaxed")
    simple = CanonicalizationPolicy.from_c_value(b"simple/simple")
    body = b"".join(pieces)
    if body and not body.endswith(b"\r\n"):
        pieces, body = [*pieces, b"\r\n"], body + b"\r\n"
    wanted = tuple(hashlib.sha256(one.canonicalize_body(body)).digest() for one in (simple, policy))
    assert digest(pieces) == wanted


@pytest.mark.threat(6, "CPU for the digests of a body", of="bodies", unit="ms a MiB", at_most=40)
@pytest.mark.parametrize(
    "line",
    [b"words of a text that go on\r\n", b" " * MIB, b"\t" * MIB, b" " * (MIB // 2) + b"a b  c" * (MIB // 12), b"\r\n",
     b"       x", b" \r\n"],
    ids=["words", "blanks", "tabs", "a run and words", "empty lines", "short runs", "blank lines"],
)  # fmt: skip
def test_no_body_is_dear(line: bytes) -> None:
    body = (line * (4 * MIB // len(line) + 1))[: 4 * MIB]
    begun = time.process_time()
    digest([body[place : place + MIB // 4] for place in range(0, len(body), MIB // 4)])
    ms_a_mib = (time.process_time() - begun) * 1_000 / 4
    found(ms_a_mib)
    assert ms_a_mib < 40
