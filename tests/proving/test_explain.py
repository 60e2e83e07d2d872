"""`smsbridge explain` on mails that prove themselves: it asks DNS as the server would, and says what it found."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import bench
from tests.cli.given import Bench, Done
from tests.proving.name_server import NameServer
from tests.proving.signing import mail, signed

__all__ = ["bench"]


def explained(
    bench: Bench, names: NameServer, raw: bytes, *proofs: str, options: tuple[str, ...] = ()
) -> Done:
    smtp: dict[str, Any] = {"listen": [{"address": "127.0.0.1", "port": 0, "tls": "none"}]}
    if "upstream" in proofs:
        smtp["upstreams"] = [{"network": "10.20.0.9", "authserv_id": "mx.clinic.example"}]
    bench.configure(
        smtp=smtp,
        dns={"servers": [f"127.0.0.1:{names.port}"], "timeout": "1s"},
        senders=[{"match": ["*@clinic.example"], "proof": list(proofs)}],
    )
    path = Path(bench.folder) / "mail.eml"
    path.write_bytes(raw)
    return bench("explain", str(path), *options)


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_a_good_signature_is_told(line_end: bytes, bench: Bench, names: NameServer) -> None:
    raw = signed(mail()).replace(b"\r\n", line_end)
    done = explained(bench, names, raw, "dmarc", options=("--client", "203.0.113.7"))
    assert (done.code, "rule        senders[0] *@clinic.example: holds, proven by dmarc" in done.out) == (
        0,
        True,
    )


def test_a_number_that_was_not_signed_is_told(bench: Bench, names: NameServer) -> None:
    done = explained(bench, names, signed(mail()), "dmarc", options=("--to", "0421000003@sms.local"))
    assert done.code == 1
    assert "refused: its sender signed no To or Cc that names this number" in done.out


def test_each_proof_that_does_not_hold_says_why(bench: Bench, names: NameServer) -> None:
    names.txt("clinic.example", "v=spf1 ip4:192.0.2.1 -all")
    proofs = ("dmarc", "spf", "upstream")
    done = explained(bench, names, mail(), *proofs, options=("--client", "203.0.113.7"))
    assert done.code == 1
    assert (
        "no: dmarc: no DKIM signature of its domain; spf: the SPF record does not permit this client; "
        "upstream: the client is no server whose results count"
    ) in done.out
    [told] = bench("explain", str(bench.folder / "mail.eml"), "--client", "192.0.2.1", "--json").objects
    assert (told["accepted"], told["rules"][0]["proof"]) == (True, "spf")


def test_dns_that_does_not_answer_is_told(bench: Bench, names: NameServer) -> None:
    names.trouble["_dmarc.clinic.example"] = "servfail"
    done = explained(bench, names, signed(mail()), "dmarc")
    assert done.code == 1
    assert done.out.startswith("answer      451 4.4.3 ")
    assert "dmarc: DNS does not answer" in done.out


def test_a_mail_that_another_proof_decides_asks_nobody(bench: Bench, names: NameServer) -> None:
    done = explained(bench, names, mail(sender="x@else.example"), "dmarc")
    assert done.code == 1
    assert names.asked == []
