"""A Postfix in front of us, as most companies have one: takes mail on a port of its own, relays all of it to us."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import programs

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
daemon_directory = {daemons}
command_directory = /usr/sbin
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = relay.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
alias_database =
smtputf8_enable = yes
relayhost = [localhost]:{to}
smtp_host_lookup = native
smtp_tls_security_level = secure
smtp_tls_CAfile = {trusted}
smtp_tls_secure_cert_match = localhost
"""
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
tlsmgr unix - - n 1000? 1 tlsmgr
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
_DAEMONS = Path("/usr/lib/postfix/sbin")


@contextlib.contextmanager
def relay_to(port: int, certificate: str) -> Iterator[tuple[int, Path]]:
    """A Postfix that relays to ``port`` inside TLS it verifies by ``certificate``: its own port, and its log."""
    program = programs.needed("postfix")
    if os.geteuid() != 0:
        pytest.skip("only root can start a Postfix")
    folder = Path(tempfile.mkdtemp(prefix="relay-"))
    folder.chmod(0o755)  # its unprivileged parts must get in
    trusted = shutil.copy(certificate, folder / "trusted.crt")
    for name in ("spool", "data"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    own = _free_port()
    main = _MAIN.format(folder=folder, daemons=_DAEMONS, to=port, trusted=trusted)
    (folder / "main.cf").write_text(main)
    (folder / "master.cf").write_text(_MASTER.format(port=own))
    command = (program, "-c", str(folder))
    try:
        subprocess.run([*command, "start"], check=True, capture_output=True, timeout=60)
        yield own, folder / "log"
    finally:
        subprocess.run([*command, "stop"], check=False, capture_output=True, timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
        return port
