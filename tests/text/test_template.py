"""The text template can do little, and what it cannot do is said in words."""

import pytest

from bridge.sms_text import check_template
from bridge.sms_text.template import MAX_TEXT, render


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("{{ body }}", "Hello"),
        ("{{ subject }}: {{ body|upper }}", "Zone 3: HELLO"),
        ("{% if subject %}{{ subject|truncate(4, true, '', 0) }} {% endif %}{{ body }}", "Zone Hello"),
        ("{{ body|first_line }} {{ 'x' ~ sender }}", "Hello xann@clinic.example"),
        ("{{ 'urgent' if 'Zone' in subject else 'note' }}", "urgent"),
    ],
)
def test_a_good_template_is_rendered(source: str, made: str) -> None:
    assert check_template(source) is None
    assert render(source, body="Hello", subject="Zone 3", sender="ann@clinic.example") == made


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("{% for i in 'abc' %}{{ i }}{% endfor %}", "may not use for"),
        ("{% set x = body %}{{ x }}", "may not use"),
        ("{{ body.__class__ }}", "may not use getattr"),
        ("{{ body['x'] }}", "may not use getitem"),
        ("{{ body.upper() }}", "may not use"),
        ("{{ 'x' * 1000000000 }}", "may not use mul"),
        ("{{ 10 ** 10 ** 10 }}", "may not use pow"),
        ("{{ bdy }}", "not bdy"),
        ("{{ body|replace('a', 'b') }}", "the filter replace"),
        ("{{ body|nosuch }}", "the filter nosuch"),
        ("{% include 'x' %}", "may not use include"),
        ("{{ body", "cannot be read"),
        ("{{ " + "(" * 1000, "cannot be read"),
        ("x" * 2001, "longer than 2,000 characters"),
        ("{{ body }}" * 21, "more than 20 texts"),
        ("{{ body|truncate('x') }}", "cannot be read"),
    ],
)
def test_a_bad_template_is_told_in_one_sentence(source: str, wrong: str) -> None:
    said = check_template(source)
    assert said is not None
    assert wrong in said
    assert "\n" not in said


def test_a_template_puts_in_no_more_than_an_sms_can_hold() -> None:
    made = render("{{ body }}!", body="x" * 1_000_000, subject="", sender="")
    assert len(made) == MAX_TEXT + 1
