"""Does the vendor answer our polls? No SMS is sent: Sender and Token are first tried by a real one."""

import secrets

from bridge.app.wiring import api_of
from bridge.cli.doctor.finding import Finding, fault, ok, warning
from bridge.config import Account, Config
from bridge.sms import NEVER, Kind, Sms, State
from bridge.sms_api import SmsApi


async def accounts(config: Config) -> list[Finding]:
    """Return a finding for each account of the vendor."""
    api = api_of(config)
    try:
        return [await _account(config, api, account) for account in config.vendor.accounts.values()]
    finally:
        await api.close()


async def _account(config: Config, api: SmsApi, account: Account) -> Finding:
    what = f"vendor account {account.key}"
    if account.auth_token is None:
        return warning(
            what, "no auth_token: it cannot be tried, and an SMS whose sending ended unclear is not looked up"
        )
    polled = await api.status(_nobody(config, account.key))
    if polled.credentials_refused:
        return fault(what, f"the poll is refused ({polled.input.why}): check its auth_token")
    if polled.input.kind is Kind.NO_ANSWER:
        return fault(what, f"the poll is not answered ({polled.input.why}): check vendor.rest_url")
    return ok(what, "a poll is answered; its sender and token are tried by the first SMS")


def _nobody(config: Config, account: str) -> Sms:
    """An SMS that was never sent: the vendor must say that it has none."""
    made_up = config.policy.message_prefix + secrets.token_hex(8).upper()
    return Sms(
        id=0, message_id=made_up, mail_id="", number="+61400000000", text="", encoding="gsm7", segments=1,
        account=account, mode="test", on_unknown="hold", reply_key="", state=State.UNKNOWN, created_at=0,
        updated_at=0, due_at=NEVER, expires_at=NEVER,
    )  # fmt: skip
