"""What every verb that changes something needs besides its transaction: the settings and the times."""

from dataclasses import dataclass

from bridge.sms import Timing
from bridge.store.values import StoreSettings


@dataclass(frozen=True, slots=True)
class Terms:
    """The operator's settings and times, as the store got them when it was opened."""

    settings: StoreSettings
    timing: Timing
