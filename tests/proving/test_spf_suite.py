"""The test suite of RFC 7208 by openspf.org, against a real name server that tells the zone of each of its cases.

``rfc7208-tests.yml`` is theirs, unchanged, under the licence beside it (BSD).
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.proving.dns import Resolver
from bridge.proving.spf import evaluate
from tests.proving.name_server import NameServer, running
from tests.threats import found

SCENARIOS = list(yaml.safe_load_all((Path(__file__).parent / "rfc7208-tests.yml").read_text()))


def _load(server: NameServer, zone: dict[str, Any]) -> None:
    server.zone.clear()
    server.trouble.clear()
    for name, entries in zone.items():
        name = name.lower()
        server.zone.setdefault(name, {})
        own_txt = any(isinstance(entry, dict) and "TXT" in entry for entry in entries)
        for entry in entries:
            if entry == "TIMEOUT":
                server.trouble[name] = "servfail"
                continue
            [(kind, value)] = entry.items()
            if value == "TIMEOUT":
                server.trouble[name] = "servfail"
            elif value != "NONE" and not (kind == "SPF" and own_txt):
                _add(server.zone[name], "TXT" if kind == "SPF" else kind, value)


def _add(here: dict[str, list[Any]], kind: str, value: Any) -> None:
    if kind == "TXT":
        pieces = value if isinstance(value, list) else [value]
        record: Any = tuple(piece.encode("utf-8") for piece in pieces)
    elif kind == "MX":
        record = f"{value[0]} {value[1] or '.'}{'.' if value[1] and not value[1].endswith('.') else ''}"
    else:
        record = f"{value}." if kind in ("CNAME", "PTR") and not value.endswith(".") else value
    here.setdefault(kind, []).append(record)


def _cases() -> list[Any]:
    return [
        pytest.param(scenario["zonedata"], test, id=name)
        for scenario in SCENARIOS
        for name, test in scenario["tests"].items()
    ]


@pytest.mark.threat(12, "wrong results", of="cases of the RFC 7208 suite")
async def test_the_suite_of_rfc_7208() -> None:
    wrong: list[str] = []
    count = 0
    with running() as names, ThreadPoolExecutor(1) as threads:
        for scenario in SCENARIOS:
            _load(names, scenario["zonedata"])
            for name, test in scenario["tests"].items():
                resolver = Resolver([names.address], 1.0)
                got = await evaluate(
                    resolver, threads, str(test["host"]), str(test["mailfrom"] or ""), str(test["helo"])
                )
                allowed = test["result"] if isinstance(test["result"], list) else [test["result"]]
                count += 1
                if got not in allowed:
                    wrong.append(f"{name}: {got}, not {allowed}")
    found(len(wrong), of=count)
    assert wrong == []
    assert count > 200
