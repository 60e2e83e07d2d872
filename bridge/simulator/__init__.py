"""A simulated SMS vendor: its HTTP API, its webhooks and reply mails, its faults, and a page of phones.

A program of its own that imports nothing of the bridge, so that it can disagree with it.
"""

from bridge.simulator.server import Simulator, running, serve
from bridge.simulator.settings import Account, ReplyMail, Settings, Webhook

__all__ = ["Account", "ReplyMail", "Settings", "Simulator", "Webhook", "running", "serve"]
