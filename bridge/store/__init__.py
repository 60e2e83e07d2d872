"""The database of the bridge: every verb one transaction. Step "queue" of the flow."""

from bridge.store.sqlite_file import migrate
from bridge.store.store import Store, open_store
from bridge.store.values import (
    Accepted,
    AlarmLine,
    Claimed,
    Counts,
    HistoryLine,
    LeaseLine,
    Node,
    NodeLine,
    OutboxWork,
    Recorded,
    SmsFilter,
    SmsLine,
    SmsPage,
    SmsStory,
    StoredEvent,
    StoreSettings,
)

__all__ = [
    "Accepted",
    "AlarmLine",
    "Claimed",
    "Counts",
    "HistoryLine",
    "LeaseLine",
    "Node",
    "NodeLine",
    "OutboxWork",
    "Recorded",
    "SmsFilter",
    "SmsLine",
    "SmsPage",
    "SmsStory",
    "Store",
    "StoreSettings",
    "StoredEvent",
    "migrate",
    "open_store",
]
