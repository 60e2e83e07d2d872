"""The error tree of the bridge, drawn once.

Foreign exceptions are translated into these at the edge that met them, with ``from``. Each class answers
whose fault it is and whether trying again can help.

    BridgeError
    ├── ConfigError        the operator's: a configuration that cannot be honoured (exit 78)
    ├── MailError          the client's: a mail that cannot be read; never again (550)
    ├── RenderError        ours or a brand's: a mail of ours that cannot be made safely; dead, with an alarm
    ├── EventError         the vendor's or a forger's: a webhook that cannot be read (400)
    ├── OverLimit          an operator's: what they ask for is above a limit of money; when it resets
    └── StoreError         ours: the database is full, locked, read-only or gone; later (451, 503)
        └── PartBusy       another process already runs this part on this database
"""


class BridgeError(Exception):
    """Root of all errors that the bridge raises on purpose."""


class ConfigError(BridgeError):
    """A configuration that cannot be honoured; the text is one line per mistake."""


class MailError(BridgeError):
    """A mail that cannot be read. ``str()`` is one ASCII sentence fit for an SMTP answer."""


class RenderError(BridgeError):
    """A mail of ours that cannot be made safely. ``str()`` holds nothing of its content."""


class EventError(BridgeError):
    """A webhook body or poll answer that cannot be read. ``str()`` holds nothing of its content."""


class OverLimit(BridgeError):
    """What an operator asks for does not fit a limit. ``str()`` says which, and when it resets."""


class StoreError(BridgeError):
    """The database could not do it now; trying later may succeed. Nothing was written, or, if a connection was cut
    during the commit, nobody knows: whoever tries again finds what is there and does nothing twice."""


class PartBusy(StoreError):
    """Another process runs the same part on the same database."""
