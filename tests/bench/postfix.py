"""A Postfix of the benchmark's own: what people have today, durable too. Needs root and Debian's postfix.

One port puts every mail on hold once it is stored; another hands each to `pipe(8)` and curl, as a shell
script between a mail server and an SMS API does.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.bench.load import program
from tests.bench.processes import free_port

_MAIN: Final = """\
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
daemon_directory = {daemons}
command_directory = /usr/sbin
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = bench.test
mydestination =
relay_domains = sms.local
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
alias_database =
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
relay_transport = curl
curl_destination_recipient_limit = 1
curl_destination_concurrency_limit = 20
"""
_MASTER: Final = """\
127.0.0.1:{holding} inet n - n - - smtpd -o smtpd_client_restrictions=static:HOLD
127.0.0.1:{sending} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
curl unix - n n - 20 pipe user=nobody argv={curl} -sS -o /dev/null -d Number=+614 --data-urlencode Message@- {url}
"""
_WITHIN_S: Final = 30


class Postfix:
    """``missing`` says why it cannot run here, or nothing. ``start`` before use."""

    def __init__(self, send_url: str = "http://127.0.0.1:9/") -> None:
        self.holding, self.sending = free_port(), free_port()
        self._url = send_url
        self._folder: Path | None = None
        daemons = next((one for one in _DAEMONS if (one / "smtpd").exists()), None)
        self._daemons = daemons
        curl = shutil.which("curl")
        self._curl = curl or ""
        self.missing = "" if daemons and curl and program("postfix") else "needs Postfix and curl"
        if os.geteuid() != 0:
            self.missing = "needs root"

    def start(self) -> None:
        """Run it, unless it is missing."""
        if self.missing:
            return
        folder = self._folder = Path(tempfile.mkdtemp(prefix="bench-postfix-"))
        folder.chmod(0o755)  # its unprivileged parts must get in
        for name in ("spool", "data"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        (folder / "main.cf").write_text(_MAIN.format(folder=folder, daemons=self._daemons))
        (folder / "master.cf").write_text(
            _MASTER.format(holding=self.holding, sending=self.sending, curl=self._curl, url=self._url)
        )
        self._command("start")

    def stop(self) -> None:
        if self._folder is not None:
            self._command("stop")
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _command(self, verb: str) -> None:
        done = subprocess.run(
            [program("postfix") or "postfix", "-c", str(self._folder), verb],
            capture_output=True,
            text=True,
            timeout=_WITHIN_S,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"postfix {verb}: {done.stderr or done.stdout}")


_DAEMONS: Final = (Path("/usr/lib/postfix/sbin"), Path("/usr/libexec/postfix"), Path("/usr/lib/postfix"))
