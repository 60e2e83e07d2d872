"""What a right file becomes: values in our own units, defaults filled in, each rule complete."""

import dataclasses
import re
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config import Endpoint, Listener, Smarthost, scalars
from bridge.rules import Brand, Limits, ReportRule, SenderRule, TextRule
from tests.config.sample import SMALLEST, changed, read

MACHINE_TEXT = TextRule(cut="none", too_long="cut")


def test_the_smallest_file_has_every_default(tmp_path: Path) -> None:
    config = read(tmp_path, SMALLEST)
    policy = config.policy
    assert (policy.domains, policy.region, policy.allow, policy.deny) == (("sms.local",), "AU", ("+614",), ())
    assert policy.number_types == frozenset({"mobile"})
    assert (policy.price_per_segment, policy.prices, policy.message_prefix) == (0, {}, "BRDG")
    assert (policy.expire_after_ms, policy.duplicates_window_ms) == (12 * 3_600_000, 24 * 3_600_000)
    assert config.brands == {"default": Brand("default", "SMS Bridge", "sms@sms.local")}
    assert (config.timezone, config.admin, config.inbound_to) == (
        ZoneInfo("UTC"),
        "admin@example.com",
        "admin@example.com",
    )
    assert config.database.whole() == "/var/lib/smsbridge/bridge.db"
    assert config.smtp.listen == (Listener("127.0.0.1", 2525, "none"),)
    assert (config.smtp.max_size, config.smtp.max_connections, config.smtp.max_per_address) == (
        25_000_000,
        500,
        100,
    )
    assert (config.smtp.certificate, config.smtp.key, config.smtp.users) == (None, None, None)
    assert (config.http.listen, config.http.url, config.http.proxies) == (
        Endpoint("0.0.0.0", 8090),
        "https://sms.example.com",
        (),
    )
    assert config.desk.listen == Endpoint("127.0.0.1", 8080)
    assert (config.replies_channel, config.outbox.smarthost, config.outbox.dkim) == ("bridge", None, None)
    assert (config.log.level, config.log.format) == ("info", "json")


def test_the_vendors_defaults_are_in_our_units(tmp_path: Path) -> None:
    vendor = read(tmp_path, changed(more="timezone: Australia/Sydney\n")).vendor
    assert vendor.send_url == "https://api.bestsms.com.au/api/v2.04/HttpApi/SMS"
    assert vendor.rest_url == "https://api.bestsms.com.au/api/v2.04"
    assert (vendor.mode, vendor.rate_per_second, vendor.poll_rate_per_second) == ("live", 20.0, 10.0)
    assert (vendor.status_after_ms, vendor.settle_ms, vendor.send_timeout_ms) == (600_000, 600_000, 30_000)
    assert (vendor.give_up_after_ms, vendor.received_every_ms) == (172_800_000, 300_000)
    assert vendor.timezone == ZoneInfo("Australia/Sydney")


def test_a_rule_of_networks_alone_has_the_text_of_machines(tmp_path: Path) -> None:
    [rule] = read(tmp_path, SMALLEST).policy.rules
    assert rule == SenderRule(
        index=0,
        match=("*@example.com",),
        proof=frozenset({"network"}),
        networks=rule.networks,
        limits=Limits(100, 1, over="pace"),
        text=MACHINE_TEXT,
        reports=ReportRule(),
    )
    assert [str(network) for network in rule.networks] == ["10.20.0.0/16"]


@pytest.mark.parametrize(
    ("proof", "general", "own", "expected"),
    [
        ("network", "", "", MACHINE_TEXT),
        ("network", "cut: auto, too_long: refuse, fold: none", "", TextRule(cut="none", too_long="cut", fold="none")),
        ("network", "", "too_long: refuse", TextRule(cut="none")),
        ("network", "fold: ascii", "cut: auto, stop_marks: []", TextRule(fold="ascii", too_long="cut", stop_marks=())),
        ("network, auth", "", "", TextRule()),
        ("auth", "subject: only", "subject: auto", TextRule()),
        ("network", "", "cut: null", MACHINE_TEXT),
    ],
)  # fmt: skip
def test_a_rules_own_text_wins_then_that_of_machines_then_the_general_one(
    tmp_path: Path, proof: str, general: str, own: str, expected: TextRule
) -> None:
    text = changed(
        "proof: [network]", f"proof: [{proof}]\n    text: {{{own}}}", more=f"text: {{{general}}}\n"
    )
    text = text.replace("smtp:\n", "smtp:\n  users: users.yaml\n")
    text = text if "network" in proof else text.replace("    networks: [10.20.0.0/16]\n", "")
    assert read(tmp_path, text).policy.rules[0].text == expected


def test_disclaimers_become_patterns_of_any_case(tmp_path: Path) -> None:
    [rule] = read(tmp_path, changed(more='text: {disclaimers: ["^this mail .* privileged"]}\n')).policy.rules
    [pattern] = rule.text.disclaimers
    assert pattern.search("Dear\nThis Mail is PRIVILEGED")
    assert not pattern.search("this mail\nis privileged")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("none", ReportRule(when=frozenset())),
        ("Boss@Plant.Example", ReportRule(to="Boss@plant.example")),
        (
            "{when: [failed], to: admin@plant.example}",
            ReportRule(frozenset({"failed"}), "admin@plant.example"),
        ),
        ("{when: []}", ReportRule(when=frozenset())),
        ("{to: sender}", ReportRule()),
        ("", ReportRule()),
    ],
)
def test_reports_may_be_written_short(tmp_path: Path, written: str, expected: ReportRule) -> None:
    text = changed("- match", f"- reports: {written}\n    match")
    assert read(tmp_path, text).policy.rules[0].reports == expected


@pytest.mark.parametrize(
    ("vendor", "rule", "expected"),
    [("live", "", "live"), ("live", "test", "test"), ("test", "", "test"), ("test", "live", "test")],
)  # fmt: skip
def test_test_mode_holds_when_either_asks_for_it(
    tmp_path: Path, vendor: str, rule: str, expected: str
) -> None:
    text = changed("vendor:\n", f"vendor:\n  mode: {vendor}\n").replace(
        "- match", f"- mode: {rule}\n    match"
    )
    config = read(tmp_path, text)
    assert (config.vendor.mode, config.policy.rules[0].mode) == (vendor, expected)


def test_rules_keep_their_place_and_everything_they_say(tmp_path: Path) -> None:
    text = changed(
        "vendor:\n",
        "vendor:\n  price_per_segment: 0.1\n  accounts: {clinic: {sender: c@b.example, token: t, auth_token: a}}\n",
    ).replace(
        "prefixes:",
        """  - match: [Ann@Clinic.Example, "*@*.Clinic.example"]
    proof: [auth]
    users: [Clinic-Relay, Ann@Clinic.Example]
    brand: clinic
    account: clinic
    prefixes: ["+6142"]
    limits: {recipients: 20, segments: 3, per_hour: 9, spend_per_day: 0.5}
    on_unknown: resend
brands: {clinic: {name: Riverside Clinic, from: sms@clinic.example, accent: "#0A7D6C", footer: 1 River St}}
prefixes:""",
    )
    text = text.replace("smtp:\n", "smtp:\n  users: users.yaml\n")
    (tmp_path / "users.yaml").write_text(
        "users:\n"
        + "".join(
            f"  {name}: {{hash: {'$argon2id$' + 'x' * 40}}}\n"
            for name in ("clinic-relay", "ann@clinic.example")
        )
    )
    config = read(tmp_path, text)
    rule = config.policy.rules[1]
    assert rule.index == 1
    assert rule.match == ("ann@clinic.example", "*@*.clinic.example")
    assert rule.users == ("clinic-relay", "ann@clinic.example")
    assert (rule.brand, rule.account, rule.prefixes) == ("clinic", "clinic", ("+6142",))
    limits = Limits(20, 3, per_hour=9, spend_per_day=5_000, over="refuse")
    assert (rule.limits, rule.on_unknown, rule.text) == (limits, "resend", TextRule())
    assert config.brands["clinic"] == Brand(
        "clinic", "Riverside Clinic", "sms@clinic.example", "#0a7d6c", "1 River St"
    )
    assert config.vendor.accounts["clinic"].sender == "c@b.example"
    assert config.vendor.accounts["clinic"].auth_token is not None
    assert [sender for sender, _ in config.webhook.credentials] == ["application@example.com", "c@b.example"]


def test_aliases_become_numbers_in_e164_each_once(tmp_path: Path) -> None:
    text = changed(more="aliases: {OnCall: [0491570006, '+61 491 570 006', 61491570156]}\n")
    assert read(tmp_path, text).policy.aliases == {"oncall": ("+61491570006", "+61491570156")}


def test_prices_are_exact_to_a_ten_thousandth(tmp_path: Path) -> None:
    policy = read(
        tmp_path,
        changed("vendor:\n", "vendor:\n  price_per_segment: 0.0795\n  prices: {+642: 0.1, +1: '2'}\n"),
    ).policy
    assert (policy.price_per_segment, policy.prices) == (795, {"+642": 1_000, "+1": 20_000})


def test_a_webhooks_own_pair_takes_the_place_of_the_vendors(tmp_path: Path) -> None:
    hook = read(
        tmp_path,
        changed("webhook: {", "webhook: {sender: h@b.example, token: [new, old], networks: ['::1'], "),
    ).webhook
    assert [(sender, token.get_secret_value()) for sender, token in hook.credentials] == [
        ("h@b.example", "new"),
        ("h@b.example", "old"),
    ]
    assert [str(network) for network in hook.networks] == ["::1/128"]
    hook = read(tmp_path, changed("webhook: {", "webhook: {token: alone, ")).webhook
    assert [(sender, token.get_secret_value()) for sender, token in hook.credentials] == [
        ("application@example.com", "alone")
    ]


@pytest.mark.parametrize(
    ("url", "password", "expected"),
    [
        ("smtp://mail.example.com", False, ("mail.example.com", 587, "starttls", None)),
        ("smtp://mail.example.com:25/", False, ("mail.example.com", 25, "starttls", None)),
        ("smtps://[::1]", False, ("::1", 465, "implicit", None)),
        ("smtp://us%40er:{password}@10.0.0.1:26", True, ("10.0.0.1", 26, "starttls", "us@er")),
        ("smtps://user@mail.example.com", True, ("mail.example.com", 465, "implicit", "user")),
    ],
)
def test_a_smarthost_is_taken_apart(
    tmp_path: Path, url: str, password: bool, expected: tuple[str, int, str, str | None]
) -> None:
    more = f"outbox: {{smarthost: '{url}'{', password: geheim' if password else ''}}}\n"
    host = read(tmp_path, changed(more=more)).outbox.smarthost
    assert isinstance(host, Smarthost)
    assert (host.host, host.port, host.tls, host.user) == expected
    assert (host.password.get_secret_value() if host.password else None) == ("geheim" if password else None)


@pytest.mark.parametrize("written", ["sqlite:///var/x.db", "sqlite:////var/x.db"])
def test_a_fourth_slash_does_no_harm(tmp_path: Path, written: str) -> None:
    assert read(tmp_path, changed(more=f"database: {written}\n")).database.whole() == "/var/x.db"


@pytest.mark.parametrize(
    "written",
    [
        "postgresql://bridge@db.example.com/bridge",
        "postgres://bridge@[::1]:5433/bridge?sslmode=verify-full",
        "postgresql://bridge@one,two:5433/bridge?target_session_attrs=any",
        "postgresql:///bridge?host=/run/postgresql",
    ],
)
def test_a_postgresql_address_stays_as_it_is(tmp_path: Path, written: str) -> None:
    assert read(tmp_path, changed(more=f"database: '{written}'\n")).database.whole() == written


def test_the_password_of_the_database_goes_to_its_place_and_is_not_shown(tmp_path: Path) -> None:
    more = "database: 'postgresql://bridge:{password}@x/y'\ndatabase_password: 'a/b@c {password}'\n"
    database = read(tmp_path, changed(more=more)).database
    assert database.whole() == "postgresql://bridge:a%2Fb%40c%20%7Bpassword%7D@x/y"
    assert "a/b" not in repr(database)
    assert database.address == "postgresql://bridge:{password}@x/y"


def test_norway_is_a_country(tmp_path: Path) -> None:
    assert read(tmp_path, changed("region: AU", "region: NO")).policy.region == "NO"


def test_a_key_without_a_value_counts_as_not_set(tmp_path: Path) -> None:
    empty = "outbox:\ntext:\nbrands:\naliases:\nlog:\n  level:\ndesk:\n  listen:\n"
    assert read(tmp_path, changed(more=empty)) == read(tmp_path, SMALLEST)


def test_the_vendors_urls_lose_their_closing_slash(tmp_path: Path) -> None:
    vendor = read(tmp_path, changed("vendor:\n", "vendor:\n  rest_url: https://api.example.com/v2/\n")).vendor
    assert vendor.rest_url == "https://api.example.com/v2"


def test_the_values_cannot_be_changed(tmp_path: Path) -> None:
    config = read(tmp_path, SMALLEST)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.admin = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("written", "expected"),
    [("500ms", 500), ("30s", 30_000), ("10m", 600_000), ("48h", 172_800_000), ("1h30m", 5_400_000), ("1d", 86_400_000)],
)  # fmt: skip
def test_durations_are_milliseconds(written: str, expected: int) -> None:
    assert scalars.duration(written) == expected


@pytest.mark.parametrize(
    "written", ["10", "m", "1m1h", "-1m", "1.5h", "10 m", "10M", "١m", "1m\n", "1mm", 10, None]
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"is no duration|has no value"):
        scalars.duration(written)


@given(st.integers(0, 999), st.integers(0, 999), st.integers(0, 999), st.integers(0, 999))
def test_a_duration_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int, ms: int) -> None:
    assert (
        scalars.duration(f"{hours}h{minutes}m{seconds}s{ms}ms")
        == ((hours * 60 + minutes) * 60 + seconds) * 1_000 + ms
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [("25MB", 25_000_000), ("1KiB", 1_024), ("900kB", 900_000), ("2GiB", 2 << 30), ("1MiB", 1 << 20)],
)  # fmt: skip
def test_sizes_are_bytes(written: str, expected: int) -> None:
    assert scalars.size(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"), [("20/s", 20.0), ("60/m", 1.0), ("1/h", 1 / 3600), ("0.5/s", 0.5)]
)
def test_rates_are_by_the_second(written: str, expected: float) -> None:
    assert scalars.rate(written) == pytest.approx(expected)


@given(st.integers(0, 10_000 * 10_000))
def test_money_survives_exactly_whatever_its_amount(units: int) -> None:
    amount = Decimal(units) / 10_000
    assert scalars.money(amount) == units
    assert scalars.money(f"{amount:f}") == units


@given(st.from_regex(r"\+?[0-9]{0,18}", fullmatch=True))
def test_a_prefix_is_a_plus_and_at_most_fifteen_digits(written: str) -> None:
    if re.fullmatch(r"\+[1-9][0-9]{0,14}", written):
        assert scalars.prefix(written) == written
    else:
        with pytest.raises(ValueError, match="write"):
            scalars.prefix(written)


@pytest.mark.parametrize(
    "good", ["a@b", "ann.lee+x@example.com", "o'brien@x-y.example", "a@xn--bcher-kva.example"]
)
def test_plain_mail_addresses_are_taken(good: str) -> None:
    assert scalars.mail_address(good) == good


@pytest.mark.parametrize(
    "bad",
    ["a", "@b", "a@", "a b@c", "a@b@c", ".a@b", "a.@b", '"a"@b', "a@-b", "a@[1.2.3.4]", "a@b\n", "x" * 65 + "@b"],
)  # fmt: skip
def test_all_other_addresses_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="is no mail address"):
        scalars.mail_address(bad)
