"""The vendor's webhooks: posted until the customer answers 200, and bent by fault rules on the way.

Takes `News`, knows nothing of where it came from. Every attempt stands in the journal.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace

import httpx

from bridge.simulator import documents, markup
from bridge.simulator.documents import News, Times
from bridge.simulator.faults import Action, Rules, Subject
from bridge.simulator.journal import Entry, Journal
from bridge.simulator.settings import Account, Settings, Webhook

SWAP_WAIT_MS = 5_000  # a webhook held back to be overtaken goes out then in any case


@dataclass(frozen=True, slots=True)
class Post:
    """One webhook on its way. ``raw`` is a body given by hand instead of one built from the news."""

    news: News
    account: str
    first_at: int
    rule: str = ""
    raw: bytes | None = None
    raw_type: str = ""


class Poster:
    """Queues posts, sends them with a few workers, repeats what was not answered 200."""

    def __init__(
        self, settings: Callable[[], Settings], rules: Rules, journal: Journal, clock: Callable[[], int]
    ) -> None:
        self._settings, self._rules, self._journal, self._clock = settings, rules, journal, clock
        self._queue: asyncio.Queue[Post] = asyncio.Queue()
        self._waiting = 0
        self._era = 0
        self._held: dict[str, Post] = {}

    def tell(self, news: News, account: str) -> None:
        """Post that news to the customer, unless no webhook is set or a rule says otherwise."""
        if self._settings().webhook is None:
            return
        subject = Subject(news.destination, news.message, account, news.message_id, news.type, news.status)
        rule = self._rules.find("webhook", subject, self._clock())
        post = Post(news, account, self._clock(), rule.id if rule else "")
        if rule is None:
            self._put(post)
        else:
            self._bend(post, rule.action)
        if rule is None or rule.action.name != "swap":
            self._release(_swap_key(news))

    def tell_raw(self, body: bytes, content_type: str, account: str) -> None:
        """Post a body given by hand, whatever it is."""
        news = News("", "", "", "", 0, "", "")
        self._put(Post(news, account, self._clock(), raw=body, raw_type=content_type))

    def forget(self) -> None:
        """Drop every post that is not out yet."""
        self._era += 1
        self._held.clear()
        while not self._queue.empty():
            self._queue.get_nowait()

    async def run(self) -> None:
        """Send for ever, with as many workers as the settings say."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(max(1, self._settings().webhook_workers)):
                workers.create_task(self._work())

    def _bend(self, post: Post, action: Action) -> None:
        if action.name == "lose":
            self._note(post, answer="lost")
        elif action.name == "late":
            self._put_later(post, action.delay_ms)
        elif action.name == "double":
            for _ in range(min(action.copies, 100)):
                self._put(post)
        else:
            key = _swap_key(post.news)
            self._release(key)
            self._held[key] = post
            asyncio.get_running_loop().call_later(
                (action.delay_ms or SWAP_WAIT_MS) / 1000, self._release, key, post
            )

    def _release(self, key: str, only: Post | None = None) -> None:
        held = self._held.get(key)
        if held is not None and (only is None or held is only):
            del self._held[key]
            self._put(held)

    def _put(self, post: Post) -> None:
        if self._queue.qsize() + self._waiting >= self._settings().max_records:
            self._note(post, answer="dropped", reason="too many webhooks wait")
        else:
            self._queue.put_nowait(post)

    def _put_later(self, post: Post, delay_ms: int) -> None:
        self._waiting += 1
        asyncio.get_running_loop().call_later(delay_ms / 1000, self._put_now, post, self._era)

    def _put_now(self, post: Post, era: int) -> None:
        self._waiting -= 1
        if era == self._era:
            self._put(post)

    async def _work(self) -> None:
        client: httpx.AsyncClient | None = None
        made_for: tuple[bool, str] | None = None
        try:
            while True:
                post = await self._queue.get()
                webhook = self._settings().webhook
                if webhook is None:
                    continue
                wanted = (webhook.url.startswith("https:"), webhook.ca_file)
                if client is None or made_for != wanted:
                    if client is not None:
                        await client.aclose()
                    client, made_for = _client(*wanted), wanted
                await self._post(client, post, webhook)
        finally:
            if client is not None:
                await client.aclose()

    async def _post(self, client: httpx.AsyncClient, post: Post, webhook: Webhook) -> None:
        entry = self._note(post)
        body, headers = self._dressed(post, webhook)
        try:
            answer = await client.post(
                webhook.url, content=body, headers=headers, timeout=webhook.timeout_ms / 1000
            )
            entry.http, entry.answer = answer.status_code, "taken" if answer.status_code == 200 else "refused"
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            entry.answer, entry.reason = "failed", type(error).__name__
        entry.answered_at = self._clock()
        if entry.answer != "taken" and self._clock() - post.first_at + webhook.retry_ms <= webhook.give_up_ms:
            self._put_later(post, webhook.retry_ms)

    def _dressed(self, post: Post, webhook: Webhook) -> tuple[bytes, dict[str, str]]:
        account = self._credentials(post.account, webhook)
        headers = {"User-Agent": "SMS-Webhook/2.04"}
        if webhook.fields != "A":
            headers["X-Timestamp"] = Times(self._clock(), "UTC").rfc3339
            headers["X-Sender"] = account.sender
            headers["Authorization"] = account.token
        if post.raw is not None:
            return post.raw, {**headers, "Content-Type": post.raw_type}
        body = documents.webhook_body(post.news, webhook.fields, account, self._settings().timezone)
        if webhook.format == "xml":
            return markup.to_xml(body), {**headers, "Content-Type": markup.XML_TYPE}
        return markup.to_json(body), {**headers, "Content-Type": markup.JSON_TYPE}

    def _credentials(self, sender: str, webhook: Webhook) -> Account:
        accounts = self._settings().accounts
        own = next((account for account in accounts if account.sender.lower() == sender.lower()), accounts[0])
        return replace(own, sender=webhook.sender or own.sender, token=webhook.token or own.token)

    def _note(self, post: Post, answer: str = "", reason: str = "") -> Entry:
        news = post.news
        return self._journal.add(
            Entry(
                serial=0,
                at=self._clock(),
                kind="webhook",
                account=post.account,
                message_id=news.message_id,
                number=news.destination,
                text=" ".join(filter(None, (news.type, news.status, news.result, news.message))),
                answer=answer,
                reason=reason,
                rule=post.rule,
            )
        )


def _swap_key(news: News) -> str:
    return news.message_id or news.destination


def _client(tls: bool, ca_file: str) -> httpx.AsyncClient:
    verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=ca_file or None) if tls else False
    return httpx.AsyncClient(
        verify=verify,
        trust_env=False,
        follow_redirects=False,
        limits=httpx.Limits(max_connections=1, keepalive_expiry=5),
    )
