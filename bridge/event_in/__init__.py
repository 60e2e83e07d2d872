"""The webhook: what the vendor posts becomes events in the store. Step "event" of the flow.

It answers 200 only once the event is committed, and never believes more than sender and token prove.
"""

from bridge.event_in.app import HookSettings, Ready, app

__all__ = ["HookSettings", "Ready", "app"]
