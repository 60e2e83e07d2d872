"""What a person writes is read as one number, or as none; nothing is guessed."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from bridge import phone
from bridge.phone import Number

_MOBILE = "+61421000001"


def _examples() -> list[tuple[str, int, str]]:
    """Every example number of libphonenumber: region, type, E.164."""
    found = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in PhoneNumberType.values():
            number = phonenumbers.example_number_for_type(region, kind)
            if number:
                found.append((region, kind, phonenumbers.format_number(number, PhoneNumberFormat.E164)))
    return found


EXAMPLES = _examples()


@pytest.mark.parametrize(
    "text",
    [
        "0421000001",
        "+61421000001",
        "0061421000001",
        "001161421000001",
        "61421000001",
        "0421.000.001",
        "0421-000-001",
        "0421 000 001",
        " 0421000001 ",
        "+61-421-000-001",
        "+61 (0)421 000 001",
        "0061 (0) 421 000 001",
        "(04) 2100 0001",
        "+ 61 421 000 001",
        "0421/000/001",
    ],
)
def test_an_australian_mobile_is_read_in_every_usual_form(text: str) -> None:
    assert phone.parse(text, "AU") == Number(_MOBILE, "mobile", 61, "AU", False)


@pytest.mark.parametrize(
    ("text", "region", "e164"),
    [
        ("0064211234567", "AU", "+64211234567"),
        ("001164211234567", "AU", "+64211234567"),
        ("00 44 7400 123456", "AU", "+447400123456"),
        ("011 61 421 000 001", "US", _MOBILE),
        ("(212) 555-0123", "US", "+12125550123"),
        ("1 212 555 0123", "US", "+12125550123"),
        ("8 912 345 67 89", "RU", "+79123456789"),
        ("810 61 421 000 001", "RU", _MOBILE),
        ("010 61 421000001", "JP", _MOBILE),
        ("0161 61 421 000 001", "NZ", _MOBILE),
        ("312 345 6789", "IT", "+393123456789"),
        ("+39 02 1234 5678", "AU", "+390212345678"),
        ("06 20 123 4567", "HU", "+36201234567"),
        ("131114", "AU", "+61131114"),
    ],
)
def test_other_countries_are_read_behind_a_prefix_and_home_numbers_as_dialled(
    text: str, region: str, e164: str
) -> None:
    number = phone.parse(text, region)
    assert number is not None
    assert number.e164 == e164


def test_an_international_prefix_of_the_region_is_not_read_as_00_with_a_spare_trunk_digit() -> None:
    # "0011 679 701 2345" is Fiji dialled from Australia; as "00" it would be +1 (1) 679 701 2345, Michigan.
    number = phone.parse("0011 679 701 2345", "AU")
    assert number is not None
    assert number.e164 == "+6797012345"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "+",
        "0",
        "000",
        "112",
        "911",
        "421000001",  # no trunk prefix: +421 is Slovakia
        "64211234567",  # bare foreign digits
        "447400123456",
        "12125550123",
        "00421000001",
        "0011112125550123",  # "+1 1 212 …": a trunk digit in an international number
        "0042100000",
        "00000421000001",
        "+0421000001",
        "+610011421000001",
        "++61421000001",
        "61+421000001",
        "+61421000001+",
        "+61421000001;ext=5",
        "+61421000001x5",
        "0421000001 ext 5",
        "0421000001,5",
        "0421000001#",
        "*0421000001",
        "tel:+61421000001",
        "1800FLOWERS",
        "0421OOO001",
        "0421_000_001",
        "0421\t000001",
        "0421000001\n",
        "0421\x00000001",
        "٠٤٢١٠٠٠٠٠١",
        "０４２１０００００１",
        "०४२१०००००१",
        "+61\u00a0421000001",
        "＋61421000001",
        "+6142100000",
        "+614210000011",
        "19001234567890",
        "+6119001234567890",
        "+999123456789",
        "9" * 40,
        "0421000001" + " " * 40,
        "0" * 100_000,
    ],
)
def test_what_is_no_number_here_is_none(text: str) -> None:
    assert phone.parse(text, "AU") is None


def test_a_region_that_does_not_exist_still_reads_international_numbers_alone() -> None:
    assert phone.parse("+61421000001", "XX") is not None
    assert phone.parse("0421000001", "XX") is None
    assert phone.known_region("AU")
    assert not phone.known_region("au")
    assert not phone.known_region("001")


@pytest.mark.parametrize("written", ["+{}", "00{}", "+{} "])
def test_every_example_number_of_the_world_is_read_from_anywhere_behind_plus_and_00(written: str) -> None:
    wrong = [
        (region, e164)
        for region, _, e164 in EXAMPLES
        if getattr(phone.parse(written.format(e164[1:]), "AU"), "e164", None) != e164
    ]
    assert wrong == []


def test_every_example_number_of_the_world_is_read_at_home_as_the_country_writes_it() -> None:
    wrong = []
    for region, _, e164 in EXAMPLES:
        parsed = phonenumbers.parse(e164)
        written = phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
        if getattr(phone.parse(written, region), "e164", None) != e164:
            wrong.append((region, written, e164))
    assert wrong == []


def test_every_example_number_is_read_with_its_own_country_code_without_plus() -> None:
    wrong = [
        (region, e164)
        for region, _, e164 in EXAMPLES
        if getattr(phone.parse(e164[1:], region), "e164", None) != e164
    ]
    # In Brazil 55 is an area code as well: the national form comes first.
    assert wrong == [("BR", "+5540041234")]


def test_bare_digits_are_never_read_as_another_country() -> None:
    leaked = []
    for home in ("AU", "NZ", "US", "DE", "GB", "IT", "SG", "RU", "BR"):
        own = phonenumbers.country_code_for_region(home)
        for _, _, e164 in EXAMPLES:
            number = phone.parse(e164[1:], home)
            if number and number.country_code != own and not _behind_prefix(e164[1:], home):
                leaked.append((home, e164, number.e164))
    assert leaked == []


def _behind_prefix(digits: str, home: str) -> bool:
    """Whether the digits happen to begin as an international call from there (810… in Russia)."""
    return digits.startswith({"RU": "810", "US": "011", "SG": "0"}.get(home, "00"))


@given(st.text(alphabet="+0123456789 .-()/", max_size=24), st.sampled_from(["AU", "US", "IT", "RU", "BR"]))
def test_a_number_that_is_read_is_valid_and_is_read_again_from_its_own_form(text: str, region: str) -> None:
    number = phone.parse(text, region)
    if number is not None:
        assert number.e164.startswith("+")
        assert number.e164[1:].isdigit()
        assert 7 <= len(number.e164) <= 16
        assert phone.parse(number.e164, region) == number


@given(st.integers(min_value=0, max_value=9_999_999), st.lists(st.sampled_from(" .-"), max_size=4), st.data())
def test_separators_anywhere_do_not_change_what_is_read(
    rest: int, marks: list[str], data: st.DataObject
) -> None:
    digits = f"0421{rest % 1_000_000:06d}"
    written = digits
    for mark in marks:
        place = data.draw(st.integers(min_value=1, max_value=len(written)))
        written = written[:place] + mark + written[place:]
    number = phone.parse(digits, "AU")
    assert number is not None
    assert phone.parse(written, "AU") == number


@given(st.text(max_size=60))
def test_no_text_at_all_makes_the_parser_raise(text: str) -> None:
    number = phone.parse(text, "AU")
    assert number is None or text.isascii()


def test_the_kind_of_a_number_is_told() -> None:
    kinds = {e164: phone.parse(e164, "AU").kind for _, _, e164 in EXAMPLES}  # type: ignore[union-attr]
    assert kinds["+61412345678"] == "mobile"
    assert set(kinds.values()) == {
        "mobile", "fixed", "mobile_or_fixed", "voip", "toll_free", "premium", "shared_cost", "personal",
        "pager", "uan", "voicemail",
    }  # fmt: skip


def test_a_number_is_shown_as_people_read_it_in_ascii() -> None:
    assert phone.display("+61421000001") == "+61 421 000 001"
    assert phone.display("0421000001") == "0421000001"
    assert phone.display("+614") == "+614"
    assert phone.display("+" + "9" * 100) == "+" + "9" * 100
    assert all(phone.display(e164).isascii() for _, _, e164 in EXAMPLES)


def test_an_example_mobile_is_given_for_a_region() -> None:
    assert phone.example("AU") == "0412345678"
    assert phone.example("AU", national=False) == "+61412345678"
    assert phone.example("XX") == ""


@pytest.mark.parametrize(
    ("prefix", "region"),
    [
        ("+614", "AU"),
        ("+1", "US"),
        ("+1876", "US"),
        ("+642", "NZ"),
        ("+88", ""),
        ("+881", ""),
        ("", ""),
        ("+x", ""),
    ],
)
def test_the_region_of_a_prefix_is_found(prefix: str, region: str) -> None:
    assert phone.region_of(prefix) == region
