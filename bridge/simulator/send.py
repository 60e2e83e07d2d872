"""The send endpoint, `POST …/HttpApi/SMS`: a form in, a new SMS and an id out, or a reason, or a fault."""

from starlette.types import Receive, Scope, Send

from bridge.simulator.acting import act, refusal, written
from bridge.simulator.exchange import ClientGone, Exchange, Reply, TooLarge
from bridge.simulator.faults import CREATES, Action, Subject
from bridge.simulator.journal import Entry
from bridge.simulator.orders import Order, Refusal, judge, read_form
from bridge.simulator.outcomes import OUTCOMES
from bridge.simulator.vendor import Vendor

NORMAL = Action("normal", created=True)
SILENT = Action("silent")


class SendEndpoint:
    """Takes send requests for a vendor."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope, receive, send, self._vendor.closing)
        settings = self._vendor.settings
        if exchange.method != "POST":
            await exchange.answer(refusal(405, "Method not allowed", exchange, settings))
            return
        try:
            body = await exchange.body()
        except ClientGone:
            return
        except TooLarge:
            await exchange.answer(refusal(413, "Request too large", exchange, settings))
            return
        await self._take(judge(read_form(body), settings), exchange)

    async def _take(self, order: Order | Refusal, exchange: Exchange) -> None:
        entry = self._entered(order)
        action = self._action(order, entry)
        right = self._make(order, action, entry, exchange)
        if action.name in ("normal", "silent", "own_id", "outcome"):
            await exchange.answer(right)
            entry.http = right.status
            entry.answer = entry.answer or (action.name if action.name != "normal" else "success")
        else:
            entry.answer = action.name
            entry.http, entry.answer = await act(action, right, exchange, self._vendor.settings)
        entry.answered_at = self._vendor.clock()

    def _entered(self, order: Order | Refusal) -> Entry:
        return self._vendor.journal.add(
            Entry(
                serial=0,
                at=self._vendor.clock(),
                kind="send",
                account=order.account,
                message_id=order.tracking_id,
                number=order.number,
                text=order.text,
            )
        )

    def _action(self, order: Order | Refusal, entry: Entry) -> Action:
        """A rule goes first; then a wrong token at a lenient vendor; then the number's ending."""
        subject = Subject(order.number, order.text, order.account, order.tracking_id)
        rule = self._vendor.rules.find("send", subject, entry.at)
        if rule is not None:
            entry.rule = rule.id
            return rule.action
        if isinstance(order, Refusal):
            return NORMAL
        if order.silent:
            return SILENT
        magic = self._vendor.magic(order.number)
        if magic.action is not None:
            entry.rule = f"magic {magic.ending}"
            return magic.action
        return NORMAL

    def _make(self, order: Order | Refusal, action: Action, entry: Entry, exchange: Exchange) -> Reply:
        """Make the SMS if the action lets it be made; return what a vendor in good health would answer."""
        if isinstance(order, Refusal):
            entry.reason = order.reason
            if action.name in CREATES or action is NORMAL:
                entry.answer = "refused"
            return refusal(order.http, order.reason, exchange, self._vendor.settings)
        message_id = self._vendor.id_for(order, own=action.name == "own_id")
        if action.created and not order.silent:
            outcome = OUTCOMES[action.outcome] if action.name == "outcome" else None
            sms = self._vendor.make(order, message_id, outcome)
            entry.created, entry.sms = True, sms.serial
        return written({"Result": "Success", "MessageID": message_id}, 200, exchange)
