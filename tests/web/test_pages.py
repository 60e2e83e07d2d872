"""The pages over a real store: lists, searches, paging by key, one message's story, our mails."""

import re
from pathlib import Path

import pytest

from bridge.event import Event, News
from bridge.retry import Answer
from bridge.sms import Input, Kind, State
from bridge.store import Actor, Purged, PurgePlace, Retention
from bridge.web.desk import PAGE_ROWS
from bridge.web.words import MEANINGS, happened
from tests.web import given
from tests.web.given import Desk

ROW = re.compile(r'href="/messages/(\w+)"')


async def rows(desk: Desk, path: str = "/") -> list[str]:
    answer = await desk.get(path)
    assert answer.status_code == 200
    return ROW.findall(answer.text)


async def test_an_empty_desk_says_what_to_do(desk: Desk) -> None:
    assert "No messages yet. Send a mail to a number" in (await desk.get("/")).text
    assert "No mails yet." in (await desk.get("/mails")).text


async def test_the_newest_message_stands_first_with_its_state_number_sender_and_text(desk: Desk) -> None:
    old, new = [(await desk.mailed([text]))[0] for text in ("first", "second")]
    assert await rows(desk) == [new.message_id, old.message_id]
    page = (await desk.get("/")).text
    for shown in ("+61 421 000 001", given.SENDER, "second", 'title="waits to be sent">queued'):
        assert shown in page
    assert "0421" not in page.replace('placeholder="0421 000 001"', "")
    assert re.search(r'<a href="/\?state=queued"><span [^>]*>queued</span> <b>2</b></a>', page)


async def test_each_search_finds_its_message_and_no_other(desk: Desk) -> None:
    car = await desk.sent("Your car is ready")
    (dog,) = await desk.mailed(["Your dog is well"], number="+61421000099", sender="vet@example.com")
    found = {
        "state=submitted": car,
        "state=queued": dog,
        "number=0421000099": dog,
        "number=%2B61+421+000+001": car,
        "sender=vet%40example.com": dog,
        "text=CAR": car,
        f"mail={dog.mail_id}": dog,
        "state=queued&text=dog&number=000099": dog,
    }
    for query, sms in found.items():
        assert await rows(desk, f"/?{query}") == [sms.message_id], query
    for query in ("text=100%25", "state=queued&text=car", "number=none", "sender=alex"):
        answer = await desk.get(f"/?{query}")
        assert "No message fits this search." in answer.text, query
        assert 'href="/">Show all</a>' in answer.text


async def test_what_cannot_be_a_search_is_left_out(desk: Desk) -> None:
    (sms,) = await desk.mailed()
    for query in (
        "state=nonsense",
        "before=x",
        "before=-1",
        f"before={'9' * 30}",
        "before=%D9%A1",
        "other=1",
    ):
        assert await rows(desk, f"/?{query}") == [sms.message_id], query
    long = await desk.get(f"/?text={'x' * 5_000}")
    assert long.status_code == 200
    assert "x" * 201 not in long.text


async def test_pages_go_back_by_key_and_each_message_shows_once(desk: Desk) -> None:
    made = [sms.message_id for sms in await desk.mailed([f"text {n}" for n in range(2 * PAGE_ROWS + 3)])]
    await desk.mailed(["of another sender"], sender="vet@example.com")
    seen: list[str] = []
    path: str | None = "/?sender=alex%40clinic.example"
    sizes = []
    while path:
        page = (await desk.get(path)).text
        seen += ROW.findall(page)
        sizes.append(len(ROW.findall(page)))
        older = re.search(r'href="([^"]+)">Older', page)
        path = older[1].replace("&amp;", "&") if older else None
        await desk.mailed([f"arrives meanwhile {path}"])
    assert sizes == [PAGE_ROWS, PAGE_ROWS, 3]
    assert seen == made[::-1]
    assert 'href="/?sender=alex%40clinic.example">← Newest' in page
    end = (await desk.get("/?before=1")).text
    assert "There are no older messages." in end
    assert "data-live" not in end


async def test_a_search_that_has_not_seen_all_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.store.looking.MAX_READ", 5)
    await desk.mailed(["needle", *(f"hay {n}" for n in range(9))])
    page = (await desk.get("/?text=needle")).text
    assert "Nothing fits among the messages looked at so far" in page
    assert "Older →" in page


async def test_a_story_tells_all_that_happened_in_plain_words(desk: Desk) -> None:
    sms = await desk.sent("Dinner at eight?", subject="Dinner", cut=("signature",))
    await desk.delivered(sms)
    await desk.answered(sms, "Yes 👍")
    page = (await desk.get(f"/messages/{sms.message_id}")).text
    told = re.findall(r'<span class="what"><bdi>(.*?)</bdi>', page)
    assert told[:4] == [
        "taken",
        "being handed to the vendor",
        "accepted by the vendor",
        "delivered to the phone",
    ]
    for shown in (
        '<div class="bubble ours" dir="auto">Dinner at eight?</div>',
        '<div class="bubble theirs" dir="auto">Yes 👍</div>',
        "proven by auth, client 192.0.2.9",
        "<dt>Cut</dt><dd>signature</dd>",
        f"<code>{sms.message_id}</code>",
        "{&#34;Message&#34;: &#34;Yes 👍&#34;}",
        f'href="/?mail={sms.mail_id}"',
    ):
        assert shown in page, shown
    assert page.count('href="/mails/') == 2


async def test_a_story_is_found_by_the_number_in_lists_and_in_small_letters(desk: Desk) -> None:
    sms = await desk.sent()
    for name in (str(sms.id), sms.message_id.lower()):
        answer = await desk.get(f"/messages/{name}")
        assert answer.status_code == 307
        assert answer.headers["location"] == f"/messages/{sms.message_id}"


async def test_whoever_must_decide_reads_what_is_at_stake(desk: Desk) -> None:
    unsent = await desk.sent(end=Kind.REFUSED_UNREAD, why="HTTP 200: who knows")
    page = (await desk.get(f"/messages/{unsent.message_id}")).text
    assert "It has not been sent." in page
    assert f"smsbridge messages release {unsent.message_id}" in page
    assert "refused for a reason that the bridge does not know: HTTP 200: who knows" in page
    unclear = await desk.sent(end=Kind.UNCLEAR, why="read time-out")
    assert "you need not do anything" in (await desk.get(f"/messages/{unclear.message_id}")).text


async def test_a_price_has_two_places_or_as_many_as_it_needs(desk: Desk) -> None:
    for price, shown in ((1_000, "0.10"), (800, "0.08"), (123_456, "12.3456"), (0, "0.00")):
        sms = await desk.sent()
        event = Event("webhook", "status", sms.message_id, sms.number, "raw", News.DELIVERED, price=price)
        await desk.store.record_event(event)
        assert f"<dt>Price</dt><dd>{shown}</dd>" in (await desk.get(f"/messages/{sms.message_id}")).text


async def test_sending_that_stopped_and_alarms_stand_on_top(desk: Desk) -> None:
    (queued,) = await desk.mailed()
    await desk.store.claim("node", 1)
    refused = Input(Kind.REFUSED_ACCOUNT, 1, "HTTP 401: <b>token</b>")
    await desk.store.finish(queued, refused, Answer.ACCOUNT)
    await desk.store.note_alarm("credit-hold", [("alarm", "credit-hold"), ("account", "default")])
    page = (await desk.get("/")).text
    assert "refuses the account</strong> (account “default”, since" in page
    assert "HTTP 401: &lt;b&gt;token&lt;/b&gt;" in page
    assert "smsbridge resume default" in page
    assert "The SMS service holds messages: no credit left" in page


async def test_our_mails_are_listed_and_shown_as_their_reader_sees_them(desk: Desk) -> None:
    sms = await desk.sent(subject="Grüße")
    await desk.delivered(sms)
    await desk.answered(sms, "Danke")
    assert "(not made yet)" in (await desk.get("/mails")).text
    assert "This mail is not made yet." in (await desk.get("/mails/1")).text
    assert (await desk.get("/mails/1/html")).status_code == 404
    assert (await desk.get("/mails/1/raw")).status_code == 404
    delivered, reply = await desk.made_mails()
    listed = (await desk.get("/mails")).text
    assert listed.index(f'href="/mails/{reply}"') < listed.index(f'href="/mails/{delivered}"')
    assert "Re: Grüße" in listed
    page = (await desk.get(f"/mails/{reply}")).text
    assert "Re: Grüße" in page
    assert "&lt;+61421000001@sms.local&gt;" in page
    assert "no smarthost is configured" in page
    assert f'href="/messages/{sms.id}"' in page
    assert "\n&gt; Danke\n" in page  # its text part
    assert "U+000D" not in page
    html = (await desk.get(f"/mails/{reply}/html")).text
    assert "Danke" in html
    assert 'src="data:image/png;base64,iVBOR' in html
    assert "cid:" not in html
    raw = await desk.get(f"/mails/{reply}/raw")
    assert raw.headers["content-type"] == "message/rfc822"
    assert raw.headers["content-disposition"] == f'attachment; filename="mail-{reply}.eml"'
    assert raw.content.startswith(b"From: ")


async def test_mails_are_paged_by_key_too(desk: Desk) -> None:
    for n in range(PAGE_ROWS + 2):
        await desk.store.note_alarm(f"k{n}", [("alarm", "credit-hold")])
    link = re.compile(r'href="/mails/(\d+)"')
    first = (await desk.get("/mails")).text
    older = re.search(r'href="(/mails\?before=\d+)">Older', first)
    assert older
    second = (await desk.get(older[1])).text
    assert [int(n) for n in link.findall(first) + link.findall(second)] == list(range(PAGE_ROWS + 2, 0, -1))
    assert "Older →" not in second
    assert "← Newest" in second
    assert "There are no older mails." in (await desk.get("/mails?before=1")).text


async def test_a_mail_that_cannot_be_handed_over_says_why_and_when_again(desk: Desk) -> None:
    await desk.store.note_alarm("k", [("alarm", "credit-hold")])
    (work,) = await desk.store.claim_mail(1)
    await desk.store.mail_later(work.mail.id, 60_000, "451 <later>")
    page = (await desk.get(f"/mails/{work.mail.id}")).text
    assert re.search(r"Tried 1 time, again at <time [^>]+>[^<]+</time>\.", page)
    assert '<q dir="auto">451 &lt;later&gt;</q>' in page
    await desk.store.mail_dead(work.mail.id, "550 never")
    assert "550 never" in (await desk.get(f"/mails/{work.mail.id}")).text


async def test_of_a_signature_is_shown_who_signed_with_which_key(desk: Desk) -> None:
    await desk.store.note_alarm("k", [("alarm", "credit-hold")])
    signature = "v=1; a=rsa-sha256; d=clinic.example;\r\n s=bridge; bh=AAAA; b=BBBB\r\n CCCC"
    raw = f"DKIM-Signature: {signature}\r\nSubject: x\r\nContent-Type: text/plain\r\n\r\ny".encode()
    await desk.store.rendered((1, raw, "x"))
    page = (await desk.get("/mails/1")).text
    assert "a=rsa-sha256; d=clinic.example; s=bridge</dd>" in page
    assert "BBBB" not in page


async def test_a_strangers_mail_to_postmaster_is_shown_as_plain_text_and_never_taken_apart(
    tmp_path: Path,
) -> None:
    picture = b"Content-Type: image/png\r\nContent-ID: <a>\r\n\r\nPNG\r\n"
    page = b"Content-Type: text/html\r\n\r\n" + b'<img src="cid:a">' * 9_000 + given.SCRIPT.encode()
    raw = b"Subject: hello\r\nContent-Type: multipart/related; boundary=b\r\n\r\n"
    raw += b"--b\r\n" + page + b"\r\n--b\r\n" + picture + b"--b--\r\n"
    async with given.opened(tmp_path, admin="") as desk:
        assert await desk.store.postmaster(raw, "192.0.2.1")
        shown = await desk.get("/mails/1")
        assert "there is nobody to send it to" in shown.text
        listed = (await desk.get("/mails")).text
        assert "from outside, handed on as it came" in listed, "its subject is not read"
        assert "not kept any more" not in listed
        assert "Subject: hello" in shown.text
        assert "<iframe" not in shown.text
        assert given.SCRIPT not in shown.text
        assert len(shown.text) < 600_000
        assert (await desk.get("/mails/1/html")).status_code == 404
        assert (await desk.get("/mails/1/raw")).content == raw


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?nonsense?q?a?=", "=?nonsense?q?a?="),
        ("=?utf-8?b?a?=", "=?utf-8?b?a?="),
        ("=?utf-8?q?=FF?=", "=?utf-8?q?=FF?="),
        ("=?utf-8?q?=0D=0ABcc:_x@y?=", "Bcc: x@y"),
    ],
)
async def test_odd_headers_of_a_mail_are_shown_and_break_nothing(
    desk: Desk, subject: str, shown: str
) -> None:
    await desk.store.note_alarm("k", [("alarm", "k")])
    raw = f"Subject: {subject}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n".encode()
    await desk.store.rendered((1, raw, "s"))
    page = await desk.get("/mails/1")
    assert page.status_code == 200
    assert shown in re.sub(r"\s+", " ", page.text)


async def test_what_operators_did_is_listed_newest_first_and_paged(desk: Desk) -> None:
    assert "Nothing yet." in (await desk.get("/audit")).text
    for about in range(51):
        await desk.store.privacy.note(Actor("kim <b>"), "release", about, number="+61421000001")
    page = (await desk.get("/audit")).text
    assert "kim &lt;b&gt;" in page
    assert '<a href="/messages/50">50</a>' in page
    assert "+61421•••001" in page
    older = re.search(r'class="older" href="(.*?)"', page)
    assert older is not None
    assert "/messages/0" in (await desk.get(older[1])).text


async def test_what_is_not_kept_any_more_is_said_to_be_so(desk: Desk) -> None:
    sms = await desk.sent()
    await desk.delivered(sms)
    await desk.answered(sms, "yes")
    ids = await desk.made_mails()
    done = Purged(next=PurgePlace())
    while done.next is not None:
        done += await desk.store.privacy.purge(Retention(text_ms=0), done.next)
    for path in ["/", "/mails", f"/messages/{sms.message_id}"]:
        assert "(not kept any more)" in (await desk.get(path)).text
    assert "What it said is not kept any more" in (await desk.get(f"/mails/{ids[0]}")).text
    assert 'smsbridge_purged_rows{what="text"}' in (await desk.get("/metrics")).text


async def test_hostile_words_are_escaped_on_every_page(desk: Desk) -> None:
    for text in given.HOSTILE:
        sms = await desk.sent(text, subject=text)
        await desk.answered(sms, text)
    ids = await desk.made_mails()
    names = [f"/messages/{sms}" for sms in await rows(desk)]
    for path in ["/", "/mails", *names, *(f"/mails/{one}" for one in ids), f"/?text={given.SCRIPT}"]:
        page = (await desk.get(path)).text
        assert len(re.findall("<script", page)) == 1, path  # our own
        assert 'onerror="' not in page
        assert not re.search("[\x00-\x08\x0e-\x1f\u202a-\u202e\u2066-\u2069]", page), path
    assert "‹U+202E›gnp.exe" in (await desk.get("/")).text


def test_every_state_and_every_line_of_a_history_has_plain_words() -> None:
    assert all(MEANINGS[state] for state in State)
    for kind in Kind:
        assert happened(kind) != kind, kind
        assert happened(f"{kind}: because").endswith(": because")
    assert happened("sent (stale): x") == "accepted by the vendor (too late to count): x"
    assert happened("news: delivered: delivered") == "delivered to the phone"
    assert happened("taken") == "taken"
    assert happened("sentimental") == "sentimental"


async def test_opt_outs_are_listed_page_by_page_and_counted(desk: Desk) -> None:
    assert "Nobody has opted out." in (await desk.get("/optouts")).text
    for n in range(PAGE_ROWS + 1):
        await desk.store.opt_out(f"+614210000{n:02}", Actor("kim"), "clinic" if n % 2 else "*", given.SCRIPT)
    page = (await desk.get("/optouts")).text
    for shown in ("+61 421 000 050", "an operator", "every account", "smsbridge optout remove NUMBER"):
        assert shown in page
    assert "<script>document" not in page
    older = re.search(r'class="older" href="([^"]+)"', page)
    assert older is not None
    last = (await desk.get(older[1])).text
    assert "+61 421 000 000" in last
    assert "+61 421 000 001" not in last
    assert (await desk.get("/optouts?before=junk")).status_code == 200
    assert f"smsbridge_optouts {PAGE_ROWS + 1}.0" in (await desk.get("/metrics")).text
