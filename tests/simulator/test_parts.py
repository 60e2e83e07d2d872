"""The vendor's pure parts: segments, numbers, orders, documents, books."""

import dataclasses
import re
import subprocess
import sys
from typing import Any
from urllib.parse import urlencode

import pytest
from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st

from bridge.simulator import documents, markup
from bridge.simulator.books import FIRST_JOB, Books, Received, Sms
from bridge.simulator.changes import MAX_WATCHERS, Changes, TooManyWatchers
from bridge.simulator.documents import Times, price_text
from bridge.simulator.journal import Entry, Journal
from bridge.simulator.numbers import e164
from bridge.simulator.orders import MAX_FIELDS, Order, Refusal, judge, read_form
from bridge.simulator.polls import BadQuery, read_window
from bridge.simulator.reply_mails import compose
from bridge.simulator.segments import JOINED, SINGLE, encoding_of, split

from .conftest import CLINIC, QUICK


def sms(serial: int = 1, number: str = "+61421000001", at: int = 1_000, **more: Any) -> Sms:
    given: dict[str, Any] = {"message_id": f"ID{serial}", "tracking_id": f"ID{serial}", "text": "Hi"} | more
    return Sms(
        serial=serial,
        at=at,
        account=CLINIC.sender,
        number=number,
        segments=1,
        encoding="GSM-7",
        price=1_000,
        **given,
    )


class TestSegments:
    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("", 1),
            ("a" * 160, 1),
            ("a" * 161, 2),
            ("a" * 306, 2),
            ("a" * 307, 3),
            ("€" * 80, 1),
            ("€" * 81, 2),
            ("я" * 70, 1),
            ("я" * 71, 2),
            ("👍" * 35, 1),
            ("👍" * 36, 2),
            ("a" * 159 + "“", 3),
        ],
    )
    def test_known_texts_make_known_numbers_of_parts(self, text: str, parts: int) -> None:
        assert len(split(text)) == parts

    @given(
        st.text(alphabet=st.one_of(st.sampled_from("aé€[👍“"), st.characters(codec="utf-8")), max_size=700)
    )
    def test_parts_join_to_the_text_and_none_is_too_long_or_splits_a_pair(self, text: str) -> None:
        parts, encoding = split(text), encoding_of(text)
        assert "".join(parts) == text
        room = SINGLE[encoding] if len(parts) == 1 else JOINED[encoding]
        for part in parts:
            used = (
                len(part.encode("utf-16-le")) // 2
                if encoding == "UCS-2"
                else sum(1 + (c in "\f^{}\\[~]|€") for c in part)
            )
            assert used <= room


class TestNumbers:
    @pytest.mark.parametrize(
        ("typed", "read"),
        [
            ("0421000001", "+61421000001"),
            ("+61 421 000-001", "+61421000001"),
            ("61421000001", "+61421000001"),
            ("001161421000001", "+61421000001"),
            ("0061421000001", "+61421000001"),
            ("0064211234567", "+64211234567"),
            ("(04) 2100.0001", "+61421000001"),
            ("+64211234567", "+64211234567"),
            ("0299999999", "+61299999999"),
        ],
    )
    def test_dialling_formats_become_e164(self, typed: str, read: str) -> None:
        assert e164(typed, "61") == read

    @pytest.mark.parametrize(
        "typed",
        ["", "abc", "421000001", "042100000", "04210000011", "+0421", "+6142", "4479460", "+٦١٤٢١٠٠٠٠٠١"],
    )
    def test_what_cannot_be_dialled_is_none(self, typed: str) -> None:
        assert e164(typed, "61") is None

    def test_a_new_zealand_vendor_reads_its_own_format(self) -> None:
        assert e164("021 123 4567", "64") == "+64211234567"
        assert e164("0061421000001", "64") == "+61421000001"
        assert e164("044 20 7946 0958", "44") == "+4444" + "2079460958"

    @given(st.text(max_size=100))
    def test_any_text_is_a_number_or_none(self, typed: str) -> None:
        number = e164(typed, "61")
        assert number is None or (number[0] == "+" and number[1:].isascii() and number[1:].isdigit())


GOOD = {"Sender": CLINIC.sender, "Token": CLINIC.token, "Number": "0421000001", "Message": "Hi"}


class TestOrders:
    @pytest.mark.parametrize(
        ("changes", "http", "reason"),
        [
            ({"Sender": None}, 400, "Missing Sender"),
            ({"Sender": " "}, 401, "Missing or empty sender"),
            ({"Token": None}, 400, "Missing APIKey"),
            ({"Token": ""}, 400, "Missing APIKey"),
            ({"Sender": "nobody"}, 400, "Invalid sender format"),
            ({"Token": "wrong"}, 400, "Unauthorized"),
            ({"Sender": "other@example.com"}, 400, "Unauthorized"),
            ({"Number": None, "Message": None}, 400, "Missing message data"),
            ({"Number": ""}, 400, "Missing or empty destinations"),
            ({"Number": "12"}, 400, "Error - Could not find any valid destination(s)."),
            ({"Message": " "}, 400, "Missing or empty message"),
            ({"Message": None}, 400, "Missing or empty message"),
        ],
    )
    def test_a_bad_request_gets_the_vendors_own_reason(
        self, changes: dict[str, str | None], http: int, reason: str
    ) -> None:
        form = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
        refusal = judge(form, QUICK)
        assert isinstance(refusal, Refusal)
        assert (refusal.http, refusal.reason) == (http, reason)

    def test_an_empty_request_misses_everything(self) -> None:
        refusal = judge({}, QUICK)
        assert isinstance(refusal, Refusal)
        assert refusal.reason == "Missing message data"

    def test_a_lenient_vendor_takes_a_wrong_token_silently(self) -> None:
        order = judge({**GOOD, "Token": "wrong"}, dataclasses.replace(QUICK, strict=False))
        assert isinstance(order, Order)
        assert order.silent

    def test_optional_fields_are_read(self) -> None:
        order = judge({**GOOD, "MessageID": "A1", "SMSEmailReply": "a@b.example", "Mode": "test"}, QUICK)
        assert order == Order(CLINIC.sender, "+61421000001", "Hi", "A1", "a@b.example", test=True)

    @pytest.mark.parametrize("message_id", ["", "with-dash", "x" * 41, "ümlaut"])
    def test_an_id_that_is_not_forty_alphanumerics_is_not_taken(self, message_id: str) -> None:
        order = judge({**GOOD, "MessageID": message_id}, QUICK)
        assert isinstance(order, Order)
        assert order.tracking_id == ""

    def test_a_reply_address_that_could_break_a_mail_is_not_taken(self) -> None:
        order = judge({**GOOD, "SMSEmailReply": "a@b.example\r\nBcc: x@y.example"}, QUICK)
        assert isinstance(order, Order)
        assert order.reply_mail == ""

    def test_a_form_keeps_the_first_of_equal_names_and_bounds_their_number(self) -> None:
        assert read_form(b"Number=1&Number=2&Message=a+%C3%A9") == {"Number": "1", "Message": "a é"}
        assert read_form(urlencode([("a", "1")] * (MAX_FIELDS + 1)).encode()) == {}
        assert read_form(b"Message=%ff") == {"Message": "\ufffd"}


class TestDocuments:
    def test_job_numbers_are_eight_digits_and_begin_elsewhere_at_each_start(self) -> None:
        code = "from bridge.simulator.books import FIRST_JOB; print(f'{FIRST_JOB:08X}')"
        starts = {
            subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
            for _ in range(3)
        }
        assert len(starts) > 1
        assert all(re.fullmatch(r"[0-9A-F]{8}\n", one) for one in starts)

    def test_prices_have_two_places_or_more(self) -> None:
        assert [price_text(n) for n in (0, 1_000, 1_250, 12_345, 20_000)] == [
            "0.00",
            "0.10",
            "0.125",
            "1.2345",
            "2.00",
        ]

    def test_one_moment_in_every_spelling(self) -> None:
        times = Times(1_697_424_180_250, "Australia/Sydney")
        assert times.page == "16/10/2023 13:43 p.m."
        assert times.local == "2023-10-16 13:43:00"
        assert times.utc == "2023-10-16 02:43:00"
        assert times.rfc3339 == "2023-10-16T02:43:00.250Z"
        assert Times(1_697_380_980_000, "Australia/Sydney").page.endswith("01:43 a.m.")
        assert Times(0, "UTC").local == ""

    def test_field_set_a_is_the_vendors_page(self) -> None:
        news = documents.news_of(sms(), "SUCCESS", "delivered", 1_697_424_180_000)
        assert documents.webhook_body(news, "A", CLINIC, "Australia/Sydney") == {
            "Sender": CLINIC.sender,
            "Token": CLINIC.token,
            "Type": "SMS",
            "Destination": "+61421000001",
            "MessageID": "ID1",
            "JobNumber": f"{FIRST_JOB + 1:08X}",
            "SentTime": "16/10/2023 13:43 p.m.",
            "Status": "SUCCESS",
            "Result": "delivered",
            "Message": "",
            "Price": "0.10",
            "Detail": "SMSParts:1",
        }

    def test_the_newer_field_sets_have_their_own_spellings(self) -> None:
        reply = Received(2, 1_697_424_180_000, CLINIC.sender, "+61421000001", "Yes", sms())
        news = documents.news_of(reply, "", "", 0)
        b = documents.webhook_body(news, "B", CLINIC, "UTC")
        assert (b["Type"], b["Status"], b["Message"], b["APIKey"]) == (
            "SMSReply",
            "RECEIVED",
            "Yes",
            CLINIC.token,
        )
        assert b["SentTimeUTC-RFC3339"] == "2023-10-16T02:43:00.000Z"
        assert b["ContactID"] == ""
        v3 = documents.webhook_body(news, "v3", CLINIC, "UTC")
        assert (v3["Status"], v3["Price"], v3["SendTimeUTC"]) == ("Received", None, "2023-10-16 02:43:00")

    def test_an_inbound_sms_names_no_message(self) -> None:
        news = documents.news_of(Received(2, 5, CLINIC.sender, "+61421000001", "Hi", None), "", "", 0)
        assert (news.type, news.message_id, news.job) == ("SMSInbound", "", "")

    @given(st.text(max_size=200))
    def test_any_text_survives_xml_or_is_replaced(self, text: str) -> None:
        document = {"Result": "Success", "ErrorMessage": ["a", "b"], "Messages": [{"MessageText": text}]}
        root = ElementTree.fromstring(markup.to_xml(document))
        assert [node.text for node in root.findall("ErrorMessage")] == ["a", "b"]
        back = root.findtext("Messages/Message/MessageText") or ""
        assert len(back) == len(text)
        assert all(got in (sent, "\ufffd") for got, sent in zip(back, text, strict=True))

    def test_a_reply_mail_keeps_the_texts_out_of_its_headers_and_markup(self) -> None:
        evil = "</div><script>alert(1)</script>\r\nBcc: x@y.example"
        mail = compose(
            Received(2, 1_000, "a", "+61421000001", evil, sms(reply_mail="r@b.example")), "s@v.example", "UTC"
        )
        assert {name.lower() for name in list(mail)} == {
            "from",
            "to",
            "subject",
            "date",
            "message-id",
            "mime-version",
            "content-type",
        }
        html = mail.get_body(("html",))
        assert html is not None
        assert "<script>" not in html.get_content()
        with pytest.raises(ValueError, match="only an answer"):
            compose(Received(2, 1, "a", "+61421000001", "x", None), "s@v.example", "UTC")


class TestBooks:
    def test_the_oldest_goes_when_there_are_too_many(self) -> None:
        books = Books(3)
        for serial in range(1, 5):
            books.add(sms(serial, number=f"+6142100000{serial}"), (f"ID{serial}",))
        assert [books.find(f"id{n}") is not None for n in range(1, 5)] == [False, True, True, True]
        assert "+61421000001" not in books.threads
        books.add(Received(5, 1, "a", "+61421000004", "x", None))
        books.add(Received(6, 1, "a", "+61421000004", "x", None))
        books.add(sms(7), ("ID7",))
        books.add(sms(8), ("ID8",))
        books.add(sms(9), ("ID9",))
        assert not books.received
        assert list(books.threads) == ["+61421000001"]

    def test_an_id_used_twice_finds_the_latest_also_when_the_first_goes(self) -> None:
        books = Books(2)
        first, second = sms(1, message_id="X", tracking_id="X"), sms(2, message_id="X", tracking_id="X")
        books.add(first, ("X",))
        books.add(second, ("X",))
        books.add(sms(3), ("ID3",))
        assert books.find("x") is second

    def test_an_answer_belongs_to_the_last_sms_the_phone_can_have_got(self) -> None:
        books = Books(100)
        books.add(sms(1, at=1_000))
        books.add(sms(2, at=2_000, status="FAILED"))
        books.add(sms(3, at=3_000, test=True))
        books.add(Received(4, 4_000, "a", "+61421000001", "x", None))
        found = books.answered_by("+61421000001", 500)
        assert found is not None
        assert found.serial == 1
        assert books.answered_by("+61421000001", 1_500) is None
        assert books.answered_by("+61421000009", 0) is None

    def test_the_same_text_is_a_repeat_only_within_the_window(self) -> None:
        books = Books(100)
        assert not books.repeats("a", "n", "t", 0, 60_000)
        assert books.repeats("a", "n", "t", 60_000, 60_000)
        assert not books.repeats("a", "n", "other", 60_000, 60_000)
        assert not books.repeats("a", "n", "t", 60_001, 60_000)

    def test_only_an_sms_is_found_by_its_record_number(self) -> None:
        books = Books(10)
        books.add(Received(1, 1, "a", "n", "x", None))
        assert books.sms(1) is None

    def test_the_journal_is_bounded_and_cuts_texts(self) -> None:
        journal = Journal(2)
        for index in range(3):
            journal.add(Entry(0, index, "send", text="x" * 5_000, number=str(index)))
        assert [entry.serial for entry in journal.entries()] == [2, 3]
        assert [entry.serial for entry in journal.entries(number="2")] == [3]
        assert len(journal.entries()[0].text) == 2_000

    def test_watchers_are_bounded(self) -> None:
        changes, held = Changes(), []
        for _ in range(MAX_WATCHERS):
            held.append(changes.watch())
            held[-1].__enter__()
        with pytest.raises(TooManyWatchers), changes.watch():
            pass
        held.pop().__exit__(None, None, None)
        with changes.watch():
            pass


class TestWindows:
    def test_a_day_is_the_default(self) -> None:
        window = read_window({}, 10**9, "UTC")
        assert (window.since, window.until, window.size, window.page) == (
            10**9 - 86_400_000,
            10**9 + 1,
            100,
            1,
        )

    def test_dates_are_local_unless_they_say_otherwise(self) -> None:
        window = read_window(
            {"dateFrom": "2023-10-16 13:43", "dateTo": "2023-10-16T03:43:00Z"}, 0, "Australia/Sydney"
        )
        assert (window.since, window.until) == (1_697_424_180_000, 1_697_427_780_000)
        assert read_window({"dateTo": "2023-10-16"}, 0, "UTC").since == 0

    @pytest.mark.parametrize(
        "query", [{"timePeriod": "x"}, {"page": "0"}, {"recordsPerPage": "1001"}, {"dateFrom": "soon"}]
    )
    def test_what_cannot_be_read_is_refused(self, query: dict[str, str]) -> None:
        with pytest.raises(BadQuery, match="Invalid"):
            read_window(query, 0, "UTC")
