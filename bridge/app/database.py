"""From the configuration to the open database: all that a command needs which looks, and sends nothing."""

from bridge.config import Config
from bridge.sms import Timing
from bridge.store import Store, StoreSettings, open_store


async def open_store_of(config: Config) -> Store:
    """Open the configured database, upgraded to this version. Raises `StoreError`."""
    vendor, policy = config.vendor, config.policy
    return await open_store(
        config.database.whole(),
        timing=Timing(
            settle_ms=vendor.settle_ms,
            status_after_ms=vendor.status_after_ms,
            give_up_after_ms=vendor.give_up_after_ms,
            expire_after_ms=policy.expire_after_ms,
        ),
        settings=StoreSettings(
            domain=policy.domains[0],
            message_prefix=policy.message_prefix,
            admin=config.admin,
            inbound_to=config.inbound_to,
            replies_channel=config.replies_channel,
            duplicates_window_ms=policy.duplicates_window_ms,
            timezone=config.timezone,
            optout_words=config.optout_words,
            accounts_with_polls=frozenset(key for key, one in vendor.accounts.items() if one.auth_token),
            spend_cap=policy.spend_cap,
        ),
    )
