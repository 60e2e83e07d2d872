"""The database of the bridge: every verb one transaction. Step "queue" of the flow."""

from bridge.store.opening import is_postgresql, is_there, look_at_server, migrate, open_store
from bridge.store.store import Store
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
    "is_postgresql",
    "is_there",
    "look_at_server",
    "migrate",
    "open_store",
]
