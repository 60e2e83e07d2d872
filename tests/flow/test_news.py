"""What the vendor tells of an SMS, twice, late, out of order or never: where the SMS ends, and what its sender hears.

Real webhooks to a running bridge; the judge is the smarthost, and the vendor's book of what it made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from bridge.sms import State
from tests.flow.mails import hand_in, mail
from tests.flow.running import Bridge, Loop, Mail, Smarthost, serve, wait_for, write_config
from tests.flow.stranger import Form, Made, Said, Stranger
from tests.threats import found

DELIVERED, FAILED, NETWORK, PENDING = (
    ("SUCCESS", "delivered"),
    ("FAILED", "Undelivered"),
    ("SUCCESS", "delivered-to-network"),
    ("PENDING", "Pending"),
)
WORDS: Final = {DELIVERED: "delivered", FAILED: "failed", NETWORK: "network", PENDING: "pending"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A case: the webhooks in the order in which they come, how the SMS ends, the mails (✓ good, ✕ bad) about it.

    ``early``: the first webhook comes before the answer to the POST. ``reset``: there is no answer to the POST.
    """

    name: str
    told: tuple[tuple[str, str], ...]
    ends: State
    mails: str
    early: bool = False
    reset: bool = False


CELLS: Final = (
    Cell("once", (DELIVERED,), State.DELIVERED, "✓"),
    Cell("twice", (DELIVERED, DELIVERED), State.DELIVERED, "✓"),
    Cell("bad news", (FAILED,), State.FAILED, "✕"),
    Cell("bad news twice", (FAILED, FAILED), State.FAILED, "✕"),
    Cell("in order", (PENDING, NETWORK, DELIVERED), State.DELIVERED, "✓"),
    Cell("out of order", (DELIVERED, NETWORK, PENDING), State.DELIVERED, "✓"),
    Cell("network, then bad", (NETWORK, FAILED), State.FAILED, "✓✕"),
    Cell("bad, then good", (FAILED, DELIVERED), State.DELIVERED, "✕✓"),
    Cell("good, then bad", (DELIVERED, FAILED), State.DELIVERED, "✓"),
    Cell("bad, then network", (FAILED, NETWORK), State.FAILED, "✕"),
    Cell("pending alone", (PENDING,), State.SUBMITTED, ""),
    Cell("never", (), State.SUBMITTED, ""),
    Cell("before the answer", (DELIVERED,), State.DELIVERED, "✓", early=True),
    Cell("bad, before the answer", (FAILED,), State.FAILED, "✕", early=True),
    Cell("no answer, good news", (DELIVERED,), State.DELIVERED, "✓", early=True, reset=True),
    Cell("no answer, bad news", (FAILED,), State.FAILED, "✕", early=True, reset=True),
    Cell("no answer, never, polls tell", (), State.DELIVERED, "✓", reset=True),
    Cell("no answer, polls tell, late news", (DELIVERED,), State.DELIVERED, "✓", reset=True),
)


def sign(one: Mail) -> str:
    return one.text.lstrip()[:1]


@pytest.mark.threat(2, "wrong ends or POSTs", of="cells of answer × made × polls × news")
def test_news_ends_each_sms_where_it_should_and_tells_its_sender_once(tmp_path: Path) -> None:
    loop = Loop()
    vendor, smarthost = Stranger(loop, "page"), Smarthost(loop)
    try:
        config = write_config(tmp_path, vendor, smarthost, senders=[_rule()])
        bridge = serve(config)
        vendor.at_send = _at_send(vendor, bridge)
        for place, cell in enumerate(CELLS):
            hand_in(bridge.smtp, mail(cell.name), _address(place))
        wait_for("all SMS", lambda: len(vendor.made) >= len(CELLS))
        wait_for(
            "those with late news to be polled",
            lambda: _states(bridge)["no answer, polls tell, late news"] == "delivered",
        )
        for made in list(vendor.made):
            cell = _cell(made)
            for news in cell.told[1:] if cell.early else cell.told:
                assert vendor.tell(bridge.hook, made, *news).status_code == 200
        wanted = {cell.name: (cell.ends.value, cell.mails) for cell in CELLS}
        wait_for("their ends and mails", lambda: _ends(bridge, smarthost) == wanted or None, within_s=30)
        assert bridge.stop() == 0
        ends = _ends(bridge, smarthost)
        found(sum(ends.get(name) != end for name, end in wanted.items()), of=len(wanted))
        assert _ends(bridge, smarthost) == wanted, "and nothing more is told"
        assert len(vendor.made) == len(CELLS), "each was made once"
    finally:
        smarthost.close()
        vendor.close()
        loop.close()


def _rule() -> dict[str, object]:
    return {
        "match": ["*@clinic.example"],
        "proof": ["network"],
        "networks": ["127.0.0.0/8"],
        "reports": {"when": ["failed", "delivered", "reply"], "to": "sender"},
    }


def _at_send(vendor: Stranger, bridge: Bridge) -> Callable[[Form, Callable[[], Made]], Said]:
    def at_send(form: Form, make: Callable[[], Made]) -> Said:
        made = make()
        made.id = made.told  # it takes our id for its own: with no answer, that is all we know of it
        cell = _cell(made)
        if cell.early:
            vendor.tell(bridge.hook, made, *cell.told[0])
        return None if cell.reset else vendor.success(made)

    return at_send


def _cell(made: Made) -> Cell:
    return next(cell for cell in CELLS if cell.name == made.form["Message"])


def _address(place: int) -> str:
    return f"042100{place:04}@sms.local"


def _states(bridge: Bridge) -> dict[str, str]:
    return {line["text"]: line["state"] for line in bridge.messages()}


def _ends(bridge: Bridge, smarthost: Smarthost) -> dict[str, tuple[str, str]]:
    """Return the state of each SMS and the signs of the mails about it, in the order in which they came."""
    states = _states(bridge)
    about = {
        name: "".join(sign(one) for one in smarthost.mails if f"> {name}\n" in one.text.replace("\r", ""))
        for name in states
    }
    return {name: (states[name], about[name]) for name in states}
