"""Faults on demand: rules that say which request or webhook goes wrong, and how. Pure.

A rule is one flat JSON object: what it is ``on``, which subjects it matches, for how long, and its action.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bridge.simulator.outcomes import OUTCOMES

On = Literal["send", "status", "reply", "received", "poll", "webhook"]

POLLS = ("status", "reply", "received")
HTTP_ACTIONS = frozenset({"refuse", "raw", "redirect", "timeout", "reset", "hangup", "drip", "delay"})
SEND_ACTIONS = HTTP_ACTIONS | {"silent", "own_id", "outcome"}
POLL_ACTIONS = HTTP_ACTIONS | {"not_found", "state"}
WEBHOOK_ACTIONS = frozenset({"lose", "late", "double", "swap"})
ACTIONS: dict[str, frozenset[str]] = {
    "send": SEND_ACTIONS,
    "status": POLL_ACTIONS,
    "reply": POLL_ACTIONS,
    "received": POLL_ACTIONS,
    "poll": POLL_ACTIONS,
    "webhook": WEBHOOK_ACTIONS,
}
# Whether the SMS is made all the same, when the rule does not say.
CREATES = frozenset({"raw", "drip", "delay", "own_id", "outcome"})
MAX_RULES = 1_000
MAX_TEXT = 100_000


class RuleError(ValueError):
    """A rule that cannot be read; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Action:
    """What goes wrong. Only the fields that the action's name calls for are looked at.

    ``created``: the SMS is made although the answer says otherwise, or not made although it says so.
    """

    name: str
    created: bool = False
    status: int = 0
    reason: str = ""
    retry_after: str = ""
    body: str = ""
    content_type: str = ""
    location: str = ""
    delay_ms: int = 0
    interval_ms: int = 200
    hold_ms: int = 600_000
    copies: int = 2
    state: str = ""
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a rule is held against; an unknown field is empty. ``type`` and ``status`` are a webhook's."""

    number: str = ""
    text: str = ""
    sender: str = ""
    message_id: str = ""
    type: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """Conditions; an empty one holds always."""

    number: str = ""
    number_prefix: str = ""
    number_regex: re.Pattern[str] | None = None
    text: str = ""
    text_regex: re.Pattern[str] | None = None
    sender: str = ""
    message_id: str = ""
    type: str = ""
    event_status: str = ""

    def holds(self, subject: Subject) -> bool:
        """Tell whether all conditions hold."""
        return (
            self.number in ("", subject.number)
            and subject.number.startswith(self.number_prefix)
            and self.text in subject.text
            and self.sender.lower() in ("", subject.sender.lower())
            and self.message_id.lower() in ("", subject.message_id.lower())
            and self.type in ("", subject.type)
            and self.event_status in ("", subject.status)
            and (self.number_regex is None or bool(self.number_regex.search(subject.number)))
            and (self.text_regex is None or bool(self.text_regex.search(subject.text)))
        )


@dataclass(slots=True)
class Rule:
    """A match and an action. It skips the first ``after`` matches and acts at most ``times`` times."""

    id: str
    on: On
    match: Match
    action: Action
    given: Mapping[str, Any]
    after: int = 0
    times: int | None = None
    until: int | None = None
    matched: int = 0
    hits: int = 0

    def applies(self, on: str, subject: Subject, now: int) -> bool:
        """Tell whether the rule acts on this subject now, and count it."""
        if self.on != on and not (self.on == "poll" and on in POLLS):
            return False
        if (self.until is not None and now >= self.until) or not self.match.holds(subject):
            return False
        self.matched += 1
        if self.matched <= self.after or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True

    def as_dict(self) -> dict[str, Any]:
        """Return the rule as it was given, with its id and counts."""
        return {**self.given, "id": self.id, "matched": self.matched, "hits": self.hits}


@dataclass(slots=True)
class Rules:
    """All rules in the order they were made; the first that applies wins."""

    _rules: list[Rule] = field(default_factory=list)

    def add(self, rule: Rule) -> None:
        """Append a rule; raise RuleError when there are too many."""
        if len(self._rules) >= MAX_RULES:
            raise RuleError(f"there are {MAX_RULES} rules already")
        self._rules.append(rule)

    def remove(self, rule_id: str) -> bool:
        """Take a rule away; tell whether it was there."""
        kept = [rule for rule in self._rules if rule.id != rule_id]
        found = len(kept) < len(self._rules)
        self._rules = kept
        return found

    def clear(self) -> None:
        """Take all rules away."""
        self._rules = []

    def all(self) -> list[Rule]:
        """Return the rules, first made first."""
        return list(self._rules)

    def find(self, on: str, subject: Subject, now: int) -> Rule | None:
        """Return the first rule that acts on this subject now, counted as one hit."""
        if not self._rules:
            return None
        return next((rule for rule in self._rules if rule.applies(on, subject, now)), None)


_RULE_KEYS = {"on", "after", "times", "for_ms"}
_MATCH_KEYS = set(Match.__dataclass_fields__)
_ACTION_KEYS = set(Action.__dataclass_fields__) - {"name"} | {"action"}


def read_rule(given: object, now: int) -> Rule:
    """Return the rule that a JSON object describes, or raise RuleError.

    Every unknown key, wrong type and impossible pair of ``on`` and ``action`` is an error.
    """
    if not isinstance(given, dict):
        raise RuleError("a rule is a JSON object")
    unknown = set(given) - _RULE_KEYS - _MATCH_KEYS - _ACTION_KEYS
    if unknown:
        raise RuleError(f"unknown key: {', '.join(sorted(unknown))}")
    on = _text(given, "on", "send")
    if on not in ACTIONS:
        raise RuleError(f"on: one of {', '.join(ACTIONS)}")
    for_ms = _number(given, "for_ms")
    return Rule(
        id=secrets.token_hex(4),
        on=on,  # type: ignore[arg-type]
        match=_read_match(given),
        action=_read_action(given, on),
        given=given,
        after=_number(given, "after") or 0,
        times=_number(given, "times"),
        until=None if for_ms is None else now + for_ms,
    )


def _read_match(given: Mapping[str, Any]) -> Match:
    values: dict[str, Any] = {}
    for name in _MATCH_KEYS & set(given):
        text = _text(given, name, "")
        values[name] = _pattern(name, text) if name.endswith("_regex") else text
    return Match(**values)


def _read_action(given: Mapping[str, Any], on: str) -> Action:
    name = _text(given, "action", "")
    if name not in ACTIONS[on]:
        raise RuleError(f"action on {on}: one of {', '.join(sorted(ACTIONS[on]))}")
    values: dict[str, Any] = {"created": name in CREATES}
    for key in _ACTION_KEYS & set(given) - {"action"}:
        values[key] = _action_value(given, key)
    action = Action(name, **values)
    if action.status and not 200 <= action.status <= 599:
        raise RuleError("status: 200 to 599")
    if name == "outcome" and action.outcome not in OUTCOMES:
        raise RuleError(f"outcome: one of {', '.join(OUTCOMES)}")
    return action


def _action_value(given: Mapping[str, Any], key: str) -> Any:
    wanted = type(getattr(Action("x"), key))
    if wanted is bool:
        if not isinstance(given[key], bool):
            raise RuleError(f"{key}: true or false")
        return given[key]
    if wanted is int:
        return _number(given, key)
    if key == "retry_after":
        return str(given[key])[:100]
    return _text(given, key, "")


def _text(given: Mapping[str, Any], key: str, default: str) -> str:
    value = given.get(key, default)
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise RuleError(f"{key}: a text")
    return value


def _number(given: Mapping[str, Any], key: str) -> int | None:
    value = given.get(key)
    if value is None and key not in given:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10**12:
        raise RuleError(f"{key}: a whole number, not negative")
    return value


def _pattern(key: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text[:500])
    except re.error as error:
        raise RuleError(f"{key}: {error}") from error
