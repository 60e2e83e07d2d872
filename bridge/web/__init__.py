"""The desk: pages that show messages and the mails we sent, health and metrics. Reads the store, writes nothing."""

from bridge.web.desk import DeskSettings, desk_app

__all__ = ["DeskSettings", "desk_app"]
