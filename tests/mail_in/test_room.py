"""Counts of connections and memory: exact, given back, with shares that others cannot use up."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.mail_in.room import SMALL, Connections, Held, Memory, normal_address, place_of


def test_the_reserved_connections_are_for_network_senders() -> None:
    connections = Connections(5, 2, 100)
    assert [connections.enter(f"s{i}", lambda: False) for i in range(4)] == [None, None, None, "server"]
    assert [connections.enter(f"n{i}", lambda: True) for i in range(3)] == [None, None, "server"]
    connections.leave("s0")
    assert connections.open == 4
    assert connections.enter("s9", lambda: False) == "server"
    assert connections.enter("n9", lambda: True) is None


def test_one_address_cannot_have_more_than_its_share() -> None:
    connections = Connections(100, 0, 2)
    assert [connections.enter("a", lambda: True) for _ in range(3)] == [None, None, "address"]
    connections.leave("a")
    assert connections.enter("a", lambda: True) is None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 300_000)), max_size=60))
def test_memory_is_never_overdrawn_and_all_of_it_comes_back(steps: list[tuple[int, int]]) -> None:
    memory = Memory(1_000_000)
    mails = [Held(memory) for _ in range(10)]
    for index, octets in steps:
        before = mails[index].octets
        taken = mails[index].grow(octets)
        assert mails[index].octets == before + (octets if taken else 0)
        assert memory.small_left >= 0
        assert memory.large_left >= 0
    for mail in mails:
        mail.release()
        mail.release()
    assert (memory.small_left, memory.large_left) == (250_000, 750_000)


def test_small_mails_have_a_share_that_big_ones_cannot_use_up() -> None:
    memory = Memory(8 * SMALL)
    big, other, small = Held(memory), Held(memory), Held(memory)
    assert big.grow(7 * SMALL)
    assert not other.grow(2 * SMALL)
    assert not memory.has(2 * SMALL)
    assert memory.has(SMALL)
    assert small.grow(SMALL)


def test_an_ipv6_customer_is_one_place_and_a_mapped_address_is_ipv4() -> None:
    assert place_of("2001:db8::1") == place_of("2001:db8::ffff:2") != place_of("2001:db8:0:1::1")
    assert place_of("192.0.2.1") == "192.0.2.1"
    assert normal_address("::ffff:192.0.2.1") == "192.0.2.1"
    assert normal_address("fe80::1%eth0") == "fe80::1"
