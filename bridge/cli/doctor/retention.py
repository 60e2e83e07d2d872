"""Is anything done away with one day?"""

from collections.abc import Iterator

from bridge.cli.doctor.finding import Finding, ok, warning
from bridge.cli.output import days
from bridge.config import Config


def retention(config: Config) -> Iterator[Finding]:
    """Warn of texts and numbers that are kept for ever, unless no phone gets them."""
    text_ms, records_ms = config.retention.text_ms, config.retention.records_ms
    if text_ms is None and records_ms is None:
        if config.vendor.mode == "live":
            say = "not given: texts and numbers of all SMS are kept for ever. Say how long (docs/privacy.md)"
            yield warning("retention", say)
        return
    texts, records = days(text_ms if text_ms is not None else records_ms), days(records_ms)
    yield ok("retention", f"texts are kept {texts}, records {records}")
