"""The prefix check, the number types and the codes of no country: where an SMS may go."""

import re
from collections.abc import Callable

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberType

from bridge import phone
from bridge.phone import Number
from tests.phone.test_parse import EXAMPLES
from tests.threats import found

_MOBILE = frozenset({"mobile"})
_ANY = frozenset({"any"})


def _number(text: str) -> Number:
    number = phone.parse(text, "AU")
    assert number is not None
    return number


def _refused(
    text: str,
    allow: tuple[str, ...] = ("+614",),
    deny: tuple[str, ...] = (),
    types: frozenset[str] = _MOBILE,
    narrower: tuple[str, ...] = (),
) -> str | None:
    return phone.allowed(_number(text), allow, deny, types, narrower)


def test_a_mobile_in_an_allowed_range_passes() -> None:
    assert _refused("0421000001") is None


def test_nothing_passes_when_nothing_is_allowed() -> None:
    assert _refused("0421000001", allow=()) == "+61 421... is not in a number range that is allowed here"


@pytest.mark.parametrize(
    ("allow", "deny", "passes"),
    [
        (("+614",), ("+61490",), True),
        (("+614",), ("+6142",), False),
        (("+614", "+61421"), ("+6142",), True),
        (("+614", "+61421"), ("+6142", "+614210"), False),
        (("+61421",), ("+61421",), False),
        (("+",), (), False),
        (("",), (), False),
        (("614",), (), False),
    ],
)
def test_the_longest_prefix_wins_and_a_tie_denies(
    allow: tuple[str, ...], deny: tuple[str, ...], passes: bool
) -> None:
    assert (_refused("0421000001", allow, deny) is None) is passes


def test_a_senders_prefixes_narrow_and_never_widen() -> None:
    assert _refused("0421000001", narrower=("+6142",)) is None
    assert _refused("0431000001", narrower=("+6142",)) == (
        "+61 431... is not in a number range that this sender may use"
    )
    assert _refused("+64211234567", narrower=("+642",)) is not None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("1900123456", "a premium number"),
        ("131114", "a shared-cost number"),
        ("1800123456", "a toll-free number"),
        ("0212345678", "a fixed line"),
        ("+447012345678", "a personal number"),
    ],
)
def test_a_number_of_the_wrong_kind_is_named_in_the_reason(text: str, word: str) -> None:
    reason = _refused(text, allow=("+61", "+44"))
    assert reason is not None
    assert word in reason
    assert reason.endswith("which is not allowed here")


def test_the_reason_tells_a_premium_number_even_where_its_range_is_not_allowed() -> None:
    assert _refused("1900123456") == "+61 190... is a premium number, which is not allowed here"


def test_the_types_that_an_operator_names_pass() -> None:
    assert _refused("0212345678", allow=("+61",), types=frozenset({"fixed"})) is None
    assert _refused("0421000001", allow=("+61",), types=frozenset({"fixed"})) is not None
    assert _refused("+61147101234", allow=("+61",), types=frozenset({"voip"})) is None
    assert _refused("+61147101234", allow=("+61",), types=frozenset({"mobile", "fixed"})) is not None
    assert _refused("1900123456", allow=("+61",), types=_ANY) is None


def test_where_a_country_does_not_tell_mobiles_from_fixed_lines_both_types_fit() -> None:
    assert _refused("+12125550123", allow=("+1",)) is None
    assert _refused("+12125550123", allow=("+1",), types=frozenset({"fixed"})) is None
    assert _refused("+12125550123", allow=("+1",), types=frozenset({"voip"})) is not None


@pytest.mark.parametrize("code", sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS))
def test_a_code_of_no_country_passes_only_when_the_operator_names_it(code: int) -> None:
    example = phonenumbers.example_number_for_non_geo_entity(code)
    assert example is not None
    number = _number(f"+{code}{phonenumbers.national_significant_number(example)}")
    wide = ["+8", "+9", "+88", "+80", "+87", "+97"]
    assert number.non_geographic
    reason = phone.allowed(number, wide, (), _ANY)
    assert reason is not None
    assert "satellite" in reason
    assert phone.allowed(number, [f"+{code}"], (), _ANY) is None


def test_a_satellite_phone_that_libphonenumber_calls_a_mobile_is_refused() -> None:
    number = _number("+881612345678")
    assert number.kind == "mobile"
    assert phone.allowed(number, ["+8"], (), _MOBILE) is not None


@pytest.mark.threat(13, "allowed mobiles refused", of="example numbers of the world")
@pytest.mark.threat(13, "leaked", of="example numbers of the world")
def test_no_example_number_of_the_world_leaks_and_every_allowed_mobile_passes() -> None:
    leaked, refused = [], []
    for region, kind, e164 in EXAMPLES:
        number = _number(e164)
        passes = phone.allowed(number, ["+614", "+642"], ["+61490"], _MOBILE) is None
        in_range = e164.startswith(("+614", "+642")) and number.kind == "mobile"
        leaked += [(region, kind, e164)] if passes and not in_range else []
        refused += [(region, kind, e164)] if in_range and not passes else []
    found(len(leaked), of=len(EXAMPLES), what="leaked")
    found(len(refused), of=len(EXAMPLES), what="allowed mobiles refused")
    assert (leaked, refused) == ([], [])


_FULL_WIDTH, _ARABIC = (
    str.maketrans("0123456789", digits) for digits in ("０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩")
)
# How somebody may write a costly number so that it looks like another, or half of it: d is its E.164 digits.
_ODD: tuple[Callable[[str], str], ...] = (
    *(
        lambda d, at=at: f"{at}{d}"
        for at in ("", "0", "00", "0011", "+0", "+00", "++", "+ ", "+61", "+610", "+614")
    ),
    *(
        lambda d, at=at: f"{at}{d}"
        for at in ("0061", "04", "+61 (0)", "*31#", "#31#", "1831", "1832", "141", "*67")
    ),
    *(
        lambda d, end=end: f"+{d}{end}"
        for end in ("0", "00000", ";ext=1", "x1", "#", ",1", "p1", "@", "/61421000001")
    ),
    lambda d: f"+{d[:-1]}",
    lambda d: f"+{d[:4]}",
    lambda d: d[-8:],
    lambda d: d[:6],
    lambda d: f"+61421000001/{d}",
    lambda d: f"0421000001 {d}",
    lambda d: f"+61\u200b{d}",
    lambda d: f"+{d}".translate(_FULL_WIDTH),
    lambda d: f"+{d}".translate(_ARABIC),
    lambda d: f"+614{d[3:]}".translate(_ARABIC),
    lambda d: f"+{'-'.join(d)}",
    lambda d: f"+({d[:2]})/.{d[2:]}",
)


def _says(text: str, number: Number) -> bool:
    """Whether the digits that stand in ``text`` are those of this Australian number, as people dial it there."""
    rest = number.e164.removeprefix("+61")
    typed = re.sub(r"[ ()./+-]", "", text)
    return re.fullmatch(rf"(?:(?:00|0011)?610?|0){rest}", typed, re.ASCII) is not None


@pytest.mark.threat(13, "leaked", of="example numbers of the world")
def test_no_odd_form_of_a_number_leads_to_another() -> None:
    leaked, tried = [], 0
    for _, _, e164 in EXAMPLES:
        for odd in _ODD:
            text = odd(e164[1:])
            number = phone.parse(text, "AU")
            passes = number is not None and phone.allowed(number, ["+614"], (), _MOBILE) is None
            tried += 1
            if number is not None and passes and not (number.e164.startswith("+614") and _says(text, number)):
                leaked.append((text, number.e164))
    found(len(leaked), of=tried)
    assert leaked == []


def test_no_costly_kind_passes_even_when_the_whole_world_is_allowed() -> None:
    world = [f"+{digit}" for digit in range(1, 10)]
    costly = {PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.PERSONAL_NUMBER}
    passed = {
        _number(e164).kind
        for _, kind, e164 in EXAMPLES
        if kind in costly and phone.allowed(_number(e164), world, (), _MOBILE) is None
    }
    assert passed <= {
        "mobile",
        "mobile_or_fixed",
    }  # where a plan's ranges overlap, the library calls it mobile


def test_every_reason_is_one_ascii_sentence() -> None:
    reasons = {phone.allowed(_number(e164), ["+614"], (), _MOBILE) for _, _, e164 in EXAMPLES} - {None}
    assert all(reason and reason.isascii() and "\n" not in reason and len(reason) < 120 for reason in reasons)


@given(st.text(alphabet="+0123456789 -", max_size=20), st.sampled_from(["AU", "US", "GB"]))
def test_what_passes_with_one_prefix_allowed_begins_with_it(text: str, region: str) -> None:
    number = phone.parse(text, region)
    if number and phone.allowed(number, ["+614"], (), _ANY) is None:
        assert number.e164.startswith("+614")


@given(
    st.sampled_from([e164 for _, _, e164 in EXAMPLES]),
    st.lists(st.from_regex(r"\A\+[1-9][0-9]{0,5}\Z"), max_size=6),
    st.lists(st.from_regex(r"\A\+[1-9][0-9]{0,5}\Z"), max_size=6),
)
def test_a_prefix_on_both_lists_or_on_none_never_passes(e164: str, allow: list[str], deny: list[str]) -> None:
    number = _number(e164)
    granted = [p for p in allow if e164.startswith(p)]
    denied = [p for p in deny if e164.startswith(p)]
    if phone.allowed(number, allow, deny, _ANY) is None:
        assert granted
        assert max(map(len, granted)) > max(map(len, denied), default=0)
