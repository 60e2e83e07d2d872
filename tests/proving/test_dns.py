"""The resolver: kinds of answers, what is kept and for how long, and its bounds."""

import asyncio

import pytest

from bridge.errors import ConfigError
from bridge.proving import dns as our_dns
from bridge.proving.dns import Resolver, Unanswered
from tests.proving.name_server import NameServer


@pytest.fixture
def resolver(names: NameServer) -> Resolver:
    return Resolver([names.address], 0.6)


async def test_every_kind_of_record_is_told(resolver: Resolver, names: NameServer) -> None:
    names.txt("a.example", "one ", b"\xff\x00")
    names.put("a.example", "A", "192.0.2.1", "192.0.2.2")
    names.put("a.example", "AAAA", "2001:db8::1")
    names.put("a.example", "MX", "10 mx.a.example.", "20 .")
    names.put("1.2.0.192.in-addr.arpa", "PTR", "A.example.")
    names.put("b.example", "CNAME", "a.example.")
    assert set(await resolver.texts("a.example")) == {b"one ", b"\xff\x00"}
    assert set(await resolver.ask("B.example.", "A")) == {"192.0.2.1", "192.0.2.2"}
    assert await resolver.ask("a.example", "AAAA") == ("2001:db8::1",)
    assert set(await resolver.ask("a.example", "MX")) == {(10, "mx.a.example"), (20, ".")}
    assert await resolver.ask("1.2.0.192.in-addr.arpa", "PTR") == ("A.example",)
    assert await resolver.ask("b.example", "PTR") == ()


async def test_an_answer_too_long_for_udp_comes_by_tcp(resolver: Resolver, names: NameServer) -> None:
    names.txt("long.example", "x" * 4_000)
    assert await resolver.texts("long.example") == (b"x" * 4_000,)
    assert names.over_tcp == 1


async def test_an_answer_to_another_question_is_not_believed(resolver: Resolver, names: NameServer) -> None:
    names.txt("a.example", "true")
    names.junk_first = True
    assert await resolver.texts("a.example") == (b"true",)


@pytest.mark.parametrize(
    "name", ["", ".", "a..example", "x" * 64 + ".example", "é.example", "a." * 130 + "example"]
)
async def test_what_cannot_be_a_name_is_not_asked_for(
    name: str, resolver: Resolver, names: NameServer
) -> None:
    assert await resolver.ask(name, "TXT") == ()
    assert names.asked == []


async def test_odd_signs_in_a_name_have_no_meaning(resolver: Resolver, names: NameServer) -> None:
    names.txt("a b%\\032.example", "here")
    assert await resolver.texts("a b%\\032.example") == (b"here",)


async def test_answers_are_kept_that_there_is_none_too(resolver: Resolver, names: NameServer) -> None:
    names.txt("a.example", "x")
    for _ in range(3):
        assert await resolver.texts("a.example") == (b"x",)
        assert await resolver.texts("none.example") == ()
    assert sorted(names.asked) == [("a.example", "TXT"), ("none.example", "TXT")]


async def test_kept_answers_end_within_their_bounds(
    resolver: Resolver, names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    names.txt("a.example", "x")
    monkeypatch.setattr(our_dns, "KEEP_S", (0, 0))
    monkeypatch.setattr(our_dns, "KEEP_NONE_S", (0, 0))
    for _ in range(2):
        await resolver.texts("a.example")
        await resolver.texts("none.example")
    assert len(names.asked) == 4


@pytest.mark.parametrize("trouble", ["silence", "servfail"])
async def test_a_failure_is_told_and_soon_forgotten(
    trouble: str, resolver: Resolver, names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    names.trouble["a.example"] = trouble  # type: ignore[assignment]
    for _ in range(2):
        with pytest.raises(Unanswered):
            await resolver.texts("a.example")
    asked = len(names.asked)
    monkeypatch.setattr(our_dns, "KEEP_FAILED_S", 0)
    resolver._kept.clear()
    names.trouble.clear()
    names.txt("a.example", "x")
    assert await resolver.texts("a.example") == (b"x",)
    assert len(names.asked) == asked + 1


async def test_many_who_ask_the_same_ask_once(resolver: Resolver, names: NameServer) -> None:
    names.txt("a.example", "x")
    assert await asyncio.gather(*(resolver.texts("a.example") for _ in range(50))) == [(b"x",)] * 50
    assert len(names.asked) == 1


async def test_what_is_asked_at_once_and_what_is_kept_is_bounded(
    resolver: Resolver, names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(our_dns, "MAX_AT_ONCE", 5)
    monkeypatch.setattr(our_dns, "MAX_KEPT", 10)
    done = await asyncio.gather(*(resolver.texts(f"{n}.example") for n in range(20)), return_exceptions=True)
    assert sum(isinstance(one, Unanswered) for one in done) == 15
    for n in range(30):
        await resolver.texts(f"{n}.example")
    assert len(resolver._kept) == 10
    monkeypatch.setattr(our_dns, "MAX_OCTETS", 3_000)
    for n in range(5):
        names.txt(f"big{n}.example", "y" * 1_000)
        await resolver.texts(f"big{n}.example")
    assert resolver._octets <= 3_000
    assert resolver._octets == sum(kept.octets for kept in resolver._kept.values())


async def test_it_is_given_up_when_the_service_ends(resolver: Resolver, names: NameServer) -> None:
    names.trouble["a.example"] = "silence"
    asking = asyncio.create_task(resolver.texts("a.example"))
    while not names.asked:
        await asyncio.sleep(0.01)
    await resolver.close()
    with pytest.raises(asyncio.CancelledError):
        await asking


def test_it_works_in_uvloop(names: NameServer) -> None:
    names.txt("a.example", "x" * 3_000)

    async def main() -> tuple[bytes, ...]:
        return await Resolver([names.address], 2.0).texts("a.example")

    assert pytest.importorskip("uvloop").run(main()) == (b"x" * 3_000,)


def test_a_machine_without_name_servers_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import dns.resolver

    def none(self: object, f: object) -> bool:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.BaseResolver, "read_resolv_conf", none)
    with pytest.raises(ConfigError, match=r"write dns\.servers"):
        Resolver()
