"""Signatures made by code that is neither ours nor dkimpy's: Perl's Mail::DKIM, in every canonical form."""

import subprocess
from pathlib import Path

import pytest

from tests import programs
from tests.mail_in.conftest import Starter
from tests.proving.desk import CLINIC, answer, policy_of, started
from tests.proving.name_server import NameServer
from tests.proving.signing import KEYS, mail

BODIES = {
    "plain": "Hello",
    "blanks": "a  b\t\tc  \r\n \t\r\n  indented \r\n.\r\n..dots\r\n\r\n\r\n",
    "long lines and empty ones": "x" * 700 + "\r\n" * 5 + "end",
    "not ASCII": "Grüße, 你好, ☃",
    "nothing but a blank line": "",
}


def by_perl(raw: bytes, form: str, folder: Path) -> bytes:
    """``raw`` with a signature on top."""
    key = folder / "key.pem"
    key.write_bytes(KEYS["rsa"].pem)
    script = Path(__file__).parent / "sign.pl"
    done = subprocess.run(
        ["perl", script, "clinic.example", "mail", key, form], input=raw, capture_output=True, check=True
    )
    return done.stdout


@pytest.fixture(autouse=True)
def perl() -> None:
    has = subprocess.run(["perl", "-MMail::DKIM::Signer", "-e", "1"], capture_output=True, check=False)
    if has.returncode:
        programs.missing("libmail-dkim-perl")


@pytest.mark.threat(11, "honest signatures refused", of="forms")
@pytest.mark.parametrize("form", ["relaxed/relaxed", "simple/simple", "relaxed/simple", "simple/relaxed"])
async def test_a_mail_signed_by_other_code_is_proven(
    form: str, start: Starter, names: NameServer, tmp_path: Path
) -> None:
    server = await started(start, names, policy_of(CLINIC))
    for name, body in BODIES.items():
        raw = mail(
            body=body, subject=f"A\r\n  folded\tsubject  {name} ", to='"Ann  B"\r\n\t<0421000001@sms.local>'
        )
        said = await answer(server, by_perl(raw, form, tmp_path))
        assert said.startswith("250 "), f"{name}: {said}"
