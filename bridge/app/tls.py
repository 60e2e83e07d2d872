"""A certificate as it is served: the newest pair of certificate and key that could be read, in each handshake."""

import ssl
from pathlib import Path

from bridge.config import tls_mistake
from bridge.errors import ConfigError
from bridge.mail_in import server_context


class ServedCertificate:
    """A certificate chain and its key, read from these PEM files. ``context`` is for listeners.

    What was taken by `use` counts for handshakes that begin later; open connections keep what they began with.
    Raises `ConfigError` when the files cannot be used.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self.files = certificate, key
        self.context = self._newest = self.load()
        self.context.sni_callback = self._choose

    def load(self) -> ssl.SSLContext:
        """Return what the files hold now. Raises `ConfigError` when they do not fit; nothing is changed."""
        certificate, key = self.files
        mistake = tls_mistake(certificate, key)
        if mistake is not None:
            raise ConfigError(mistake)
        try:
            return server_context(str(certificate), str(key))
        except OSError as fault:
            reason = fault.strerror or "they do not fit"
            raise ConfigError(f"{certificate} and {key} cannot be used: {reason.lower()}") from fault

    def use(self, context: ssl.SSLContext) -> None:
        """Serve ``context`` from now on."""
        self._newest = context

    def _choose(self, connection: ssl.SSLObject, name: str, begun_with: ssl.SSLContext) -> None:
        """Called in each handshake, also of clients that name no server."""
        connection.context = self._newest
