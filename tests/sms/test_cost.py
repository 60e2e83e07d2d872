"""What an SMS counts against limits of money, from its first moment to its last news."""

import pytest

from bridge.sms import Input, Kind, Sms, State, Timing, after, cost

TIMING = Timing()


def queued(reserved: int | None = 100) -> Sms:
    return Sms(
        id=1, message_id="BRDG1", mail_id="m", number="+61421000001", text="x", encoding="gsm7", segments=1,
        account="default", mode="live", on_unknown="hold", reply_key="k", state=State.QUEUED, created_at=0,
        updated_at=0, due_at=0, expires_at=1_000_000_000, reserved=reserved,
    )  # fmt: skip


def life(sms: Sms, *kinds: Kind) -> list[int]:
    """The cost after each thing that happens, ten minutes apart."""
    costs, now = [], 0
    for kind in kinds:
        now += 600_000
        sms = after(sms, Input(kind, attempt=sms.attempts, node="n"), now, TIMING).sms
        costs.append(cost(sms))
    return costs


CLAIM, SENT, UNCLEAR, NO_SUCH = Kind.CLAIM, Kind.SENT, Kind.UNCLEAR, Kind.NO_SUCH


@pytest.mark.parametrize(
    ("kinds", "costs"),
    [
        ([CLAIM, SENT, Kind.NEWS_DELIVERED], [100, 100, 100]),
        ([Kind.CANCEL], [0]),
        ([Kind.EXPIRE], [0]),
        ([CLAIM, Kind.NOT_SENT, CLAIM, Kind.GIVE_BACK, Kind.EXPIRE], [100, 100, 100, 100, 0]),
        ([CLAIM, Kind.REFUSED_SMS], [100, 0]),
        ([CLAIM, Kind.REFUSED_UNREAD, Kind.CANCEL], [100, 100, 0]),
        ([CLAIM, Kind.REFUSED_UNREAD, Kind.RELEASE], [100, 100, 100]),
        ([CLAIM, UNCLEAR, Kind.CANCEL], [100, 100, 100]),
        ([CLAIM, UNCLEAR, NO_SUCH, NO_SUCH, NO_SUCH, CLAIM, SENT], [100, 100, 100, 100, 200, 200, 200]),
        ([CLAIM, UNCLEAR, NO_SUCH, NO_SUCH, NO_SUCH, CLAIM, Kind.REFUSED_SMS], [100] * 4 + [200, 200, 100]),
        ([CLAIM, UNCLEAR, Kind.NEWS_FAILED], [100, 100, 100]),
        ([Kind.EXPIRE, Kind.NEWS_DELIVERED], [0, 100]),
    ],
)
def test_what_may_have_been_made_counts(kinds: list[Kind], costs: list[int]) -> None:
    assert life(queued(), *kinds) == costs
    assert life(queued(None), *kinds) == [0] * len(kinds)


def test_at_the_end_the_price_told_counts_and_until_then_the_greater() -> None:
    sms = queued()
    assert cost(sms.but(price=40)) == 100
    assert cost(sms.but(price=140)) == 140
    assert cost(sms.but(price=40, state=State.DELIVERED)) == 40
    assert cost(sms.but(price=0, state=State.FAILED, rank=3)) == 0
