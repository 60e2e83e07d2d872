"""The vendor's API as the loops use it: send, status, replies, received. The only part that speaks its HTTP.

Steps "send" and "event" of the flow. It keeps nothing and decides nothing: it says what an answer means.
"""

from bridge.sms_api.api import SmsApi
from bridge.sms_api.pace import Pace, boot_clock
from bridge.sms_api.values import Credentials, Listed, Outcome, Polled, TooLate

__all__ = ["Credentials", "Listed", "Outcome", "Pace", "Polled", "SmsApi", "TooLate", "boot_clock"]
