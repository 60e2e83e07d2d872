"""Fault rules and magic numbers as values: what can be read, when a rule acts, how many there may be."""

import dataclasses

import pytest

from bridge.simulator.faults import MAX_RULES, RuleError, Rules, Subject, read_rule
from bridge.simulator.magic import MAGIC, magic_of


class TestRules:
    @pytest.mark.parametrize(
        ("rule", "reason"),
        [
            ([], "object"),
            ({"action": "explode"}, "action on send"),
            ({}, "action on send"),
            ({"on": "moon", "action": "reset"}, "on: one of"),
            ({"action": "reset", "numbr": "1"}, "unknown key: numbr"),
            ({"action": "reset", "number": 1}, "number: a text"),
            ({"action": "reset", "times": -1}, "times: a whole number"),
            ({"action": "reset", "times": True}, "times: a whole number"),
            ({"action": "reset", "times": None}, "times: a whole number"),
            ({"action": "reset", "number_regex": "("}, "number_regex"),
            ({"action": "reset", "created": 1}, "created: true or false"),
            ({"action": "refuse", "status": 42}, "status: 200 to 599"),
            ({"action": "outcome", "outcome": "bliss"}, "outcome: one of"),
            ({"on": "webhook", "action": "reset"}, "action on webhook"),
        ],
    )
    def test_a_bad_rule_says_what_is_wrong(self, rule: object, reason: str) -> None:
        with pytest.raises(RuleError, match=reason):
            read_rule(rule, 0)

    def test_conditions_must_all_hold(self) -> None:
        rule = read_rule(
            {
                "action": "reset",
                "number_prefix": "+614",
                "number_regex": "1$",
                "text": "al",
                "text_regex": "^A|^b",
                "sender": "A@B.example",
                "message_id": "id1",
            },
            0,
        ).match
        good = Subject("+61421", "b alarm", "a@b.example", "ID1")
        assert rule.holds(good)
        for change in (
            {"number": "+62421"},
            {"number": "+61420"},
            {"text": "b x"},
            {"text": "c alarm"},
            {"sender": "x"},
            {"message_id": "ID2"},
        ):
            assert not rule.holds(dataclasses.replace(good, **change))

    def test_counts_and_times_bound_a_rule(self) -> None:
        rules = Rules()
        rule = read_rule({"action": "reset", "after": 1, "times": 2, "for_ms": 100}, 1_000)
        rules.add(rule)
        assert [bool(rules.find("send", Subject(), 1_000)) for _ in range(4)] == [False, True, True, False]
        assert rule.as_dict()["hits"] == 2
        assert rules.find("status", Subject(), 1_000) is None
        late = read_rule({"action": "reset", "for_ms": 100}, 1_000)
        assert not late.applies("send", Subject(), 1_100)

    def test_a_rule_on_poll_is_on_every_poll(self) -> None:
        rule = read_rule({"on": "poll", "action": "not_found"}, 0)
        assert all(rule.applies(kind, Subject(), 0) for kind in ("status", "reply", "received"))
        assert not rule.applies("send", Subject(), 0)

    def test_rules_are_bounded(self) -> None:
        rules = Rules()
        for _ in range(MAX_RULES):
            rules.add(read_rule({"action": "reset"}, 0))
        with pytest.raises(RuleError, match="already"):
            rules.add(read_rule({"action": "reset"}, 0))

    def test_every_magic_ending_is_four_digits_and_has_a_fate(self) -> None:
        assert all(len(ending) == 4 and ending.isdigit() for ending in MAGIC)
        assert all(isinstance(magic.steps, tuple) for magic in MAGIC.values())
        assert magic_of("+61421000001").outcome == "delivered"
