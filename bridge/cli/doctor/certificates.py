"""Will the TLS certificates last? That each fits its key is the configuration's to check."""

import datetime
from collections.abc import Iterator
from typing import Final

from bridge.cli.doctor.finding import Finding, fault, ok, warning
from bridge.config import Config, validity

_SOON: Final = datetime.timedelta(days=14)


def certificates(config: Config) -> Iterator[Finding]:
    """Yield a finding for each certificate of ours."""
    files = {one for one in (config.smtp.certificate, config.http.certificate) if one}
    for certificate in sorted(files):
        what = f"certificate {certificate}"
        try:
            found = validity(certificate)
        except ValueError:
            yield fault(what, "cannot be read")
        else:
            yield _dates(what, found.begins, found.ends)


def _dates(what: str, begins: datetime.datetime, ends: datetime.datetime) -> Finding:
    now = datetime.datetime.now(datetime.UTC)
    if begins > now:
        return fault(what, f"is not valid before {begins:%d %b %Y %H:%M} UTC: look at the clock, or wait")
    if ends < now:
        return fault(what, f"expired on {ends:%d %b %Y}: renew it")
    if ends - now < _SOON:
        return warning(what, f"expires on {ends:%d %b %Y}: renew it soon")
    return ok(what, f"fits its key, valid until {ends:%d %b %Y}")
