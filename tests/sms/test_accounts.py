"""The health of an account: what stops it, what starts it again, and what proves nothing."""

from dataclasses import replace

import pytest

from bridge.retry import Account, Answer, Stop, after_answer, after_probe, backoff_ms, resumed

NOW = 1_700_000_000_000
MINUTE = 60_000
WELL = Account("default")


def hear(account: Account, *answers: tuple[Answer, str], claimed_at: int | None = None) -> Account:
    for answer, number in answers:
        account = after_answer(account, answer, number, "why", NOW, claimed_at)
    return account


def test_five_unclear_answers_in_a_row_open_the_circuit_and_one_clear_closes_it() -> None:
    four = hear(WELL, *[(Answer.UNCLEAR, "1")] * 4)
    assert four.may_claim(NOW)
    assert hear(four, (Answer.CLEAR, "1")) == WELL
    five = hear(four, (Answer.UNCLEAR, "1"))
    assert (five.stop, five.may_claim(NOW), five.probe_at) == (Stop.CIRCUIT, False, NOW + MINUTE)
    assert hear(five, (Answer.CLEAR, "1")) == WELL


def test_probes_of_an_open_circuit_become_rarer() -> None:
    account, waits = hear(WELL, *[(Answer.UNCLEAR, "1")] * 5), []
    for _ in range(6):
        assert account.probe_at is not None
        assert not account.may_probe(account.probe_at - 1)
        assert account.may_probe(account.probe_at)
        probed = after_probe(account, account.probe_at)
        assert probed.probe_at is not None
        waits.append((probed.probe_at - account.probe_at) // MINUTE)
        account = probed
    assert waits == [1, 2, 4, 8, 15, 15]


def test_a_refused_account_stops_at_once_and_is_probed_every_quarter_of_an_hour() -> None:
    account = hear(WELL, (Answer.ACCOUNT, "1"))
    assert (account.stop, account.why, account.probe_at) == (Stop.ACCOUNT, "why", NOW + 15 * MINUTE)
    assert after_probe(account, NOW).probe_at == NOW + 15 * MINUTE
    assert resumed(account) == WELL


def test_three_unread_refusals_stop_only_when_the_numbers_differ() -> None:
    assert hear(WELL, *[(Answer.UNREAD, "1")] * 5).stop is Stop.NONE
    assert hear(WELL, (Answer.UNREAD, "1"), (Answer.UNREAD, "2"), (Answer.UNREAD, "3")).stop is Stop.UNREAD
    broken = hear(WELL, (Answer.UNREAD, "1"), (Answer.UNREAD, "2"), (Answer.CLEAR, "4"), (Answer.UNREAD, "3"))
    assert broken.stop is Stop.NONE


SILENT = [(Answer.SILENT, "1"), (Answer.SILENT, "2"), (Answer.SILENT, "3")]


def test_after_a_silent_stop_a_200_proves_nothing_and_a_sign_of_life_all() -> None:
    between = hear(WELL, SILENT[0], (Answer.CLEAR, "9"), *SILENT[1:])
    assert between.stop is Stop.SILENT
    assert hear(between, (Answer.CLEAR, "9")) == between
    assert hear(between, (Answer.SHOWN, "9"), claimed_at=NOW) == WELL


def test_late_news_of_an_sms_sent_before_the_stop_starts_nothing() -> None:
    for stopped in (hear(WELL, (Answer.ACCOUNT, "1")), hear(WELL, *SILENT)):
        assert hear(stopped, (Answer.SHOWN, "9"), (Answer.CLEAR, "9"), claimed_at=NOW - 1) == stopped


def test_late_news_of_an_sms_sent_before_the_silent_ones_does_not_hide_them() -> None:
    two = hear(WELL, *SILENT[:2], claimed_at=NOW)
    late = hear(two, (Answer.SHOWN, "9"), claimed_at=NOW - 1)
    assert hear(late, SILENT[2], claimed_at=NOW).stop is Stop.SILENT
    shown = hear(two, (Answer.SHOWN, "9"), claimed_at=NOW + 1)
    assert hear(shown, SILENT[2], claimed_at=NOW).stop is Stop.NONE


def test_a_stop_turns_only_into_a_graver_one() -> None:
    circuit = hear(WELL, *[(Answer.UNCLEAR, "1")] * 5)
    account = hear(circuit, (Answer.ACCOUNT, "1"))
    assert account.stop is Stop.ACCOUNT
    assert hear(account, *[(Answer.UNCLEAR, "1")] * 5).stop is Stop.ACCOUNT
    assert hear(account, *SILENT).stop is Stop.SILENT


@pytest.mark.parametrize(("tries", "most"), [(1, 2_000), (2, 4_000), (5, 32_000), (100, 300_000)])
def test_waits_double_up_to_a_bound_and_jitter_spreads_them(tries: int, most: int) -> None:
    assert backoff_ms(tries, 0.0) == most // 2
    assert most // 2 < backoff_ms(tries, 0.99) <= most


def test_an_account_on_its_feet_may_claim_and_needs_no_probe() -> None:
    assert WELL.may_claim(NOW)
    assert not replace(WELL, probe_at=NOW).may_probe(NOW)
