"""Bodies of the vendor and of strangers: JSON, XML and forms, read or refused, never anything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import EventError
from bridge.event import normal, read_document, read_form


def test_json_fields_are_named_alike_in_every_spelling() -> None:
    fields = read_document(b'\xef\xbb\xbf {"MessageID": "A1", "SentTimeUTC-RFC3339": null, "Price": 0.20}')
    assert fields == {"messageid": "A1", "senttimeutc_rfc3339": None, "price": "0.20"}


def test_xml_reads_as_the_same_fields_as_json() -> None:
    head = b'<?xml version="1.0" encoding="UTF-8"?>'
    body = b"<root><MessageID>A1</MessageID><Message>a&amp;b</Message></root>"
    assert read_document(head + body) == {"messageid": "A1", "message": "a&b"}


def test_xml_lists_are_lists_even_of_one_or_none() -> None:
    body = (
        b"<root><Recipients><Recipient><Status>SUCCESS</Status><SMSReplies/></Recipient></Recipients></root>"
    )
    assert read_document(body) == {"recipients": [{"status": "SUCCESS", "smsreplies": []}]}


def test_a_repeated_error_message_becomes_a_list() -> None:
    body = b"<root>" + b"".join(b"<ErrorMessage>%c</ErrorMessage>" % char for char in b"abc") + b"</root>"
    assert read_document(body) == {"errormessage": ["a", "b", "c"]}


def test_xml_in_a_namespace_and_in_another_declared_encoding_is_read() -> None:
    body = (
        '<?xml version="1.0" encoding="utf-16"?><root xmlns="urn:x"><Message>größer</Message></root>'.encode()
    )
    assert read_document(body) == {"message": "größer"}


def test_a_broken_byte_does_not_lose_the_rest_of_a_text() -> None:
    assert read_document(b'{"Message": "ok \xff bye"}') == {"message": "ok \ufffd bye"}


DEEP = 30_000
HOSTILE = {
    "empty": b"",
    "no document": b"hello",
    "a bare text": b'"hello"',
    "a bare number": b"1",
    "null": b"null",
    "NaN": b'{"Price": NaN}',
    "Infinity": b'{"Price": -Infinity}',
    "a key twice": b'{"Status": "SUCCESS", "Status": "FAILED"}',
    "a key twice in another spelling": b'{"Status": "SUCCESS", "status": "FAILED"}',
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
    "rather deep objects": b'{"a":' * 12 + b"1" + b"}" * 12,
    "a huge number": b'{"Price": ' + b"9" * 5_000 + b"}",
    "a huge fraction": b'{"Price": 0.' + b"9" * 50 + b"}",
    "an entity bomb": b'<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><root><S>&b;</S></root>',
    "an external entity": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><root><S>&a;</S></root>',
    "a DTD alone": b'<!DOCTYPE root SYSTEM "http://127.0.0.1:9/x"><root><Status>x</Status></root>',
    "deep elements": b"<a>" * 9_000 + b"</a>" * 9_000,
    "an element twice": b"<root><Status>SUCCESS</Status><Status>FAILED</Status></root>",
    "broken XML": b"<root><Status>",
    "an HTML page": b"<html><br><p>Welcome",
    "an empty element": b"<root/>",
    "a NUL": b"<root><a>\x00</a></root>",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_ambiguous_bottomless_or_no_document_is_an_error(body: bytes) -> None:
    with pytest.raises(EventError):
        read_document(body)


@given(st.binary(max_size=400))
def test_any_bytes_are_fields_or_an_error(body: bytes) -> None:
    for read in (read_document, read_form):
        try:
            assert isinstance(read(body), dict | list)
        except EventError:
            pass


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), _JSON))
def test_any_json_object_is_fields_or_an_error(value: dict[str, object]) -> None:
    try:
        fields = read_document(json.dumps(value).encode())
    except EventError:
        return
    assert isinstance(fields, dict)
    assert set(fields) == {normal(name) for name in value}


def test_a_form_is_read_with_its_blank_fields() -> None:
    assert read_form(b"Status=SUCCESS&Message=caf%C3%A9+au+lait&Price=") == {
        "status": "SUCCESS",
        "message": "café au lait",
        "price": "",
    }


@pytest.mark.parametrize("body", [b"", b"a=1&a=2", b"&".join(b"a%d=1" % n for n in range(200))])
def test_an_empty_form_or_one_with_too_many_or_doubled_fields_is_an_error(body: bytes) -> None:
    with pytest.raises(EventError):
        read_form(body)
