"""A Postfix of the benchmark's own: what people have today, durable too. Needs root and Debian's postfix.

Three ports: one puts every mail on hold once it is stored, so that nothing more happens to it; one delivers
each to `discard(8)`, the least that a Postfix in service does with a mail; one hands each to `pipe(8)` and curl,
as a shell script between a mail server and an SMS API does.
"""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.bench.load import program
from tests.bench.processes import cpu_of, free_port

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
127.0.0.1:{delivering} inet n - n - - smtpd -o content_filter=discard:
127.0.0.1:{sending} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
discard unix - - n - - discard
error unix - - n - - error
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
curl unix - n n - 20 pipe user=nobody argv={curl} -sS -o /dev/null -d Number=+614 --data-urlencode Message@- {url}
"""
_UNDER_WAY: Final = ("incoming", "active", "deferred")
_WITHIN_S: Final = 30


class Postfix:
    """``missing`` says why it cannot run here, or nothing. ``start`` before use."""

    def __init__(self, send_url: str = "http://127.0.0.1:9/") -> None:
        self.holding, self.delivering, self.sending = free_port(), free_port(), free_port()
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
            _MASTER.format(
                holding=self.holding,
                delivering=self.delivering,
                sending=self.sending,
                curl=self._curl,
                url=self._url,
            )
        )
        self._command("start")

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all its processes, and of what they ran."""
        assert self._folder is not None
        return cpu_of(int((self._folder / "spool/pid/master.pid").read_text()))

    def wait_until_delivered(self) -> None:
        """Return when no mail is under way any more (those on hold stay)."""
        assert self._folder is not None
        deadline = time.monotonic() + _WITHIN_S
        while any(
            path.is_file() for name in _UNDER_WAY for path in (self._folder / "spool" / name).rglob("*")
        ):
            if time.monotonic() > deadline:
                raise RuntimeError("Postfix does not deliver")
            time.sleep(0.02)

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
