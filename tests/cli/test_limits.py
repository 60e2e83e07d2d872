"""`smsbridge limits`, and what a limit says to an operator who sends by hand."""

from bridge.decide.values import Accept, NewMail, NewSms
from bridge.rules import Limits, ReportRule
from bridge.store import Accepted, Store
from tests.cli.given import Bench


def sent_by(sender: str) -> NewMail:
    return NewMail(
        sender=sender,
        proof="operator",
        rule=0,
        client="192.0.2.1",
        subject="",
        header_message_id=None,
        references=(),
        brand="default",
        reports=ReportRule(frozenset()),
        size=1,
    )


def sms_to(number: str, *, cost: int | None = None) -> NewSms:
    return NewSms(
        number=number,
        recipient=number,
        text="hello",
        encoding="gsm7",
        segments=1,
        account="default",
        mode="live",
        on_unknown="hold",
        expire_after_ms=43_200_000,
        cost=cost,
    )


def test_what_is_used_is_listed_by_sender_and_limit(bench: Bench) -> None:
    assert bench("migrate").code == 0
    assert "nothing is counted" in bench("limits").err

    async def fill(store: Store) -> list[Accepted]:
        limits = Limits(per_hour=1, spend_per_day=2_500)
        one = Accept(sent_by("jo@clinic.example"), (sms_to("+61421000001", cost=1_000),), limits=limits)
        return [await store.accept(one) for _ in range(2)]

    taken, refused = bench.store(fill)
    assert taken.queued
    assert refused.over
    objects = {one["limit"]: one for one in bench("limits", "--json").objects}
    hour = objects["per_hour"]
    assert (hour["sender"], hour["used"], hour["most"], hour["refused"]) == ("jo@clinic.example", 1, 1, 1)
    assert (objects["spend_per_day"]["used"], objects["spend_per_day"]["most"]) == (0.1, 0.25)
    assert (objects["spend_per_month"]["used"], objects["spend_per_month"]["most"]) == (0.1, None)
    table = bench("limits").out.splitlines()
    assert table[0].split() == ["SENDER", "LIMIT", "USED", "MOST", "REFUSED", "RESETS"]
    assert table[1].split()[:5] == ["jo@clinic.example", "per_hour", "1", "1", "1"]
    assert len(bench("limits", "--json", "--limit", "1").objects) == 1


def test_an_operator_who_sends_by_hand_is_held_by_the_cap_alone(bench: Bench) -> None:
    bench.configure(spend_cap={"per_day": 0.15})
    assert bench("migrate").code == 0
    assert bench("send", "0421000001", "one").code == 0
    done = bench("send", "0421000001", "two")
    assert done.code == 1
    assert "the spending limit of this server for a day does not hold this mail; it resets at " in done.err
    [cap, *_] = bench("limits", "--json").objects
    assert (cap["sender"], cap["limit"], cap["used"], cap["refused"]) == (None, "spend_cap", 0.1, 1)


def test_what_is_resubmitted_counts_for_the_sender_of_the_mail(bench: Bench) -> None:
    rule = {
        "match": ["*@clinic.example"],
        "proof": ["network"],
        "networks": ["10.20.0.0/16"],
        "limits": {"per_day": 1, "over": "refuse"},
    }
    bench.configure(senders=[rule])
    assert bench("migrate").code == 0
    one = Accept(sent_by("jo@clinic.example"), (sms_to("+61421000001"),), limits=Limits(per_day=1))
    (sms,) = bench.store(lambda store: store.accept(one)).queued
    done = bench("messages", "resubmit", str(sms.id))
    assert done.code == 1
    assert "at most 1 SMS a day: 1 used so far" in done.err
