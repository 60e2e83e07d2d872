"""The keys of the file with their types, defaults and explanations: the one list of what is honoured.

The JSON schema, the errors and the tests of `config/bridge.yaml` come from it. `build` turns it into the
values that the bridge works with.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from bridge.config import later
from bridge.config.fields import (
    Accent,
    AccountName,
    AliasName,
    BaseUrl,
    DatabaseAddress,
    DkimKey,
    Duration,
    ExistingPath,
    FilePath,
    FolderPath,
    HookSecret,
    HostName,
    ListenAddress,
    Logo,
    MailAddress,
    MessagePrefix,
    Money,
    Name,
    NameServer,
    NarrowNetwork,
    Network,
    OptoutWords,
    Origin,
    PhoneText,
    Prefix,
    Rate,
    Region,
    Secret,
    Section,
    Size,
    Smarthost,
    Text,
    TimeZone,
    between,
    setting,
    sized,
    words,
)  # fmt: skip
from bridge.config.rule_model import Amount, SenderModel, TextModel

Port = Annotated[int, Field(ge=0, le=65_535)]
Tls = Literal["none", "starttls", "implicit"]
Mode = Literal["live", "test"]
NumberTypeWord = Literal["mobile", "fixed", "voip", "any"]
Tokens = Annotated[
    list[Secret],
    BeforeValidator(lambda value: value if isinstance(value, list) else [value]),
    Field(min_length=1, max_length=5),
]
OneLine = Annotated[Text, words(200)]


class MailListener(Section):
    """One address and port for SMTP."""

    address: ListenAddress = setting(..., "the address to listen on", example="0.0.0.0")  # noqa: S104 - an example
    port: Port = setting(..., "the port; 0 is any free one", example=25)
    tls: Tls = setting(
        ..., "none, starttls (offered), or implicit (TLS from the first byte)", example="starttls"
    )


class UpstreamModel(Section):
    """A mail server that checks senders and hands their mail to us."""

    network: NarrowNetwork = setting(..., "where it hands mail in from", example="10.20.0.9")
    authserv_id: HostName = setting(
        ..., "its name in the Authentication-Results that it writes", example="mx.example.com"
    )
    hops: Annotated[int, Field(ge=0, le=5)] = setting(
        1, "Received fields of your own servers that may stand above its results"
    )


class SmtpModel(Section):
    """How mail comes in."""

    listen: Annotated[list[MailListener], Field(min_length=1, max_length=20)] = setting(
        ..., "addresses and ports", example=[{"address": "127.0.0.1", "port": 2525, "tls": "none"}]
    )
    certificate: ExistingPath | None = setting(
        None, "the certificate chain (PEM), for every listener with TLS"
    )
    key: ExistingPath | None = setting(None, "the certificate's key (PEM, no password)")
    max_size: Annotated[Size, sized("10kB", "200MB")] = setting("25MB", "the largest mail")
    max_connections: Annotated[int, Field(ge=25, le=20_000)] = setting(
        500, "connections at once; 20 of them are kept for network senders"
    )
    max_per_address: Annotated[int, Field(ge=1, le=20_000)] = setting(
        100, "connections at once from one address"
    )
    balancers: Annotated[list[NarrowNetwork], Field(max_length=100)] = setting(
        [], "networks of balancers: they must speak the PROXY protocol, nobody else is believed when he does"
    )
    upstreams: Annotated[list[UpstreamModel], Field(max_length=100)] = setting(
        [], "servers whose Authentication-Results count, for the proof `upstream`"
    )
    users: FilePath | None = setting(None, "the file of SMTP users; `smsbridge user add --smtp` writes it")


class HttpListener(Section):
    """One address and port for HTTP."""

    address: ListenAddress = setting("0.0.0.0", "the address to listen on")  # noqa: S104 - the vendor must reach it
    port: Port = setting(8090, "the port; 0 is any free one")


class HttpModel(Section):
    """What the vendor must reach: /hooks/ and health, nothing else."""

    listen: HttpListener = setting({}, "where the webhook listens")
    url: Origin = setting(
        ..., "how the vendor reaches it: scheme and host, no path", example="https://sms.example.com"
    )
    certificate: ExistingPath | None = setting(None, "a certificate chain (PEM); without it a proxy does TLS")
    key: ExistingPath | None = setting(None, "the certificate's key (PEM, no password)")
    proxies: Annotated[list[NarrowNetwork], Field(max_length=100)] = setting(
        [], "networks of proxies whose X-Forwarded-For counts"
    )


class DeskListener(Section):
    """One loopback address and port for the desk: it has no accounts in this version."""

    address: Annotated[ListenAddress, BeforeValidator(later.only_loopback)] = setting(
        "127.0.0.1", "a loopback address"
    )
    port: Port = setting(8080, "the port; 0 is any free one")


class DeskModel(Section):
    """What people reach: the desk, /metrics, health."""

    listen: DeskListener = setting({}, "where the desk listens")


class AccountModel(Section):
    """A further Sender and Token of the vendor."""

    sender: MailAddress = setting(..., "the account's Sender value", example="clinic@example.com")
    token: Secret = setting(..., "its Token", example={"env": "CLINIC_TOKEN"})
    auth_token: Secret | None = setting(None, "its AuthToken, for polls")


class VendorModel(Section):
    """The SMS vendor's HTTP API."""

    send_url: BaseUrl = setting("https://api.bestsms.com.au/api/v2.04/HttpApi/SMS", "where an SMS is posted")
    rest_url: BaseUrl = setting("https://api.bestsms.com.au/api/v2.04", "where polls go")
    sender: MailAddress = setting(..., "the Sender value of the API user", example="application@example.com")
    token: Secret = setting(..., "its Token", example={"env": "SMS_TOKEN"})
    auth_token: Secret | None = setting(None, "its AuthToken; without it there are no polls")
    mode: Mode = setting("live", "live, or test: the vendor takes everything and sends nothing")
    rate: Rate = setting("20/s", "SMS handed over at most, over all accounts and nodes")
    accounts: dict[AccountName, AccountModel] = setting(
        {}, "further accounts; a sender rule picks one with `account`"
    )
    price_per_segment: Money = setting(
        0, "what one segment costs until the vendor tells the real price", example=0.10
    )
    prices: dict[Prefix, Money] = setting(
        {}, "the same by number prefix, longest wins", example={"+642": 0.15}
    )
    timezone: TimeZone | None = setting(
        None, "the zone of the vendor's local times; default: `timezone` above"
    )
    status_after: Annotated[Duration, between("1s", "24h")] = setting("10m", "no event by then: ask")
    settle: Annotated[Duration, between("2m", "24h", "earlier the vendor may not know its own SMS yet")] = (
        setting("10m", '"no such message" for so long is believed')
    )
    send_timeout: Annotated[Duration, between("1s", "5m")] = setting(
        "30s", "the whole time of one hand-over; later it is unknown whether it was sent"
    )
    poll_rate: Rate = setting("10/s", "polls at most; the vendor's v3 asks for 1/s")
    message_prefix: MessagePrefix = setting("BRDG", "our MessageIDs begin so: four capital letters or digits")
    give_up_after: Annotated[Duration, between("1h", "48h", "the vendor is not asked later than that")] = (
        setting("48h", "no final word by then: unconfirmed")
    )
    received_every: Annotated[Duration, between("10s", "12h", "a poll looks back one day")] = setting(
        "5m", "how often replies are asked for"
    )


class WebhookModel(Section):
    """What the vendor's webhook must show."""

    secret: HookSecret = setting(
        ..., "the URL is <http.url>/hooks/sms/<secret>; 16 characters or more", example={"env": "HOOK_SECRET"}
    )
    sender: MailAddress | None = setting(None, "the Sender it shows; default: the vendor's pairs above")
    token: Tokens | None = setting(None, "the Token it shows; a list while it is being changed")
    networks: Annotated[list[Network], Field(max_length=100)] = setting(
        [], "where it comes from; empty: anywhere"
    )


class PrefixesModel(Section):
    """Where SMS may go: E.164 prefixes, the longest that fits wins, none is a refusal."""

    allow: Annotated[list[Prefix], Field(min_length=1, max_length=1_000)] = setting(
        ..., "numbers that begin so may get SMS", example=["+614"]
    )
    deny: Annotated[list[Prefix], Field(max_length=1_000)] = setting([], "numbers that begin so may not")


class DnsModel(Section):
    """Who is asked about the domains of senders, for the proofs `dmarc` and `spf`."""

    servers: Annotated[list[NameServer], Field(max_length=10)] = setting(
        [], "addresses of name servers, with their port if it is not 53; none: the machine's own"
    )
    timeout: Annotated[Duration, between("500ms", "10s")] = setting(
        "5s", "for one answer; later the mail is to come again"
    )


class RepliesModel(Section):
    """Who mails what the phones answer."""

    channel: Literal["bridge", "vendor"] = setting(
        "bridge", "bridge: we mail replies; vendor: the vendor mails them to the sender, we only record"
    )


class DuplicatesModel(Section):
    """The same mail handed in twice."""

    window: Annotated[Duration, between("1m", "30d")] = setting("24h", "how long a mail is remembered")


class RetentionModel(Section):
    """How long is kept what is over; what is under way is kept anyway."""

    text: Annotated[Duration, between("1d", "9999d")] | None = setting(
        None, "texts of SMS, answers and mails, after the SMS became final; default: for ever"
    )
    records: Annotated[Duration, between("1d", "9999d")] | None = setting(
        None, "who sent what to which number when, and what became of it; default: for ever"
    )


class OptoutsModel(Section):
    """The words by which a phone opts out of SMS, as its whole answer."""

    stop_words: OptoutWords = setting(
        "auto", "auto (STOP and its like in many languages), none, or a list, in which auto adds those"
    )
    start_words: OptoutWords = setting("auto", "the same for START, by which it opts in again")


class SpendCapModel(Section):
    """What all senders together may spend."""

    per_day: Amount | None = setting(None, "in a day of `timezone`; default: any amount", example=100.00)


class DkimModel(Section):
    """How our mails are signed."""

    domain: HostName = setting(..., "the signing domain (d=)", example="example.com")
    selector: HostName = setting(..., "the selector (s=)", example="bridge")
    key: DkimKey = setting(
        ..., "the private key's file (PEM): `smsbridge dkim keygen`", example="/etc/smsbridge/dkim.pem"
    )


class OutboxModel(Section):
    """How our mails go out."""

    smarthost: Smarthost | None = setting(
        None, "smtp://user:{password}@host:587 or smtps://; without it mails are kept and shown, not sent"
    )
    password: Secret | None = setting(None, "what stands for {password}")
    dkim: DkimModel | None = setting(None, "sign our mails")


class BrandModel(Section):
    """The look and words of the mails for a group of senders."""

    name: OneLine = setting(..., "the name in mails", example="Riverside Clinic")
    sender: MailAddress | None = setting(
        None, "From of summaries and alarms; default: sms@ the first of `domains`", alias="from"
    )
    accent: Accent = setting("#2563eb", "the colour of lines and buttons")
    footer: Annotated[Text, words(500, least=0)] = setting("", "the last line of each mail")
    logo: Logo | None = setting(None, "a PNG, JPEG or GIF of at most 40 kB, sent inside the mail")
    templates: FolderPath | None = setting(None, "a folder whose files replace ours one by one")


class VelocityModel(Section):
    """When the admin hears that a sender is far above its habit."""

    above: Annotated[int, Field(ge=2, le=1_000)] = setting(
        4, "times the usual busiest hour of the sender (of the last 15 days)"
    )
    sms: Annotated[int, Field(ge=1, le=1_000_000)] = setting(60, "SMS in an hour that are never too many")
    new_numbers: Annotated[int, Field(ge=1, le=1_000_000)] = setting(
        30, "numbers in an hour that no SMS went to before, never too many"
    )
    one_number: Annotated[int, Field(ge=1, le=1_000_000)] = setting(
        20, "SMS to one number in an hour that are never too many"
    )
    learn: Annotated[Duration, between("0s", "15d")] = setting(
        "7d", "no alarm for so long after the first start; a new sender has more room for so long"
    )
    again: Annotated[Duration, between("1m", "7d")] = setting(
        "6h", "the same alarm about the same sender at most once in so long"
    )


Velocity = Annotated[VelocityModel | None, BeforeValidator(lambda value: None if value == "off" else value)]


def _or_off(schema: dict[str, Any]) -> None:
    """Let editors offer the word in place of nothing at all."""
    schema["anyOf"] = [{"const": "off"} if one == {"type": "null"} else one for one in schema["anyOf"]]


class LogModel(Section):
    """What is logged."""

    level: Literal["debug", "info", "warning", "error"] = setting("info", "the least that is told")
    format: Literal["json", "text"] = setting("json", "json: one object a line; text: for people")


class FileModel(Section):
    """The configuration of the Email-to-SMS bridge."""

    domains: Annotated[list[HostName], Field(min_length=1, max_length=100)] = setting(
        ..., "mail to <number>@ one of these is ours", example=["sms.local"]
    )
    region: Region = setting(..., "the country whose national numbers are read", example="AU")
    timezone: TimeZone = setting(
        "UTC", "the zone of times in mails, and of the days and months of limits", example="Australia/Sydney"
    )
    admin: MailAddress = setting(..., "hears alarms and mail for postmaster@", example="admin@example.com")
    database: DatabaseAddress = setting(
        "sqlite:///var/lib/smsbridge/bridge.db",
        "sqlite:// and an absolute path, or postgresql://user:{password}@host/name",
    )
    database_password: Secret | None = setting(None, "what stands for {password} in `database`")
    smtp: SmtpModel = setting(
        ...,
        "how mail comes in",
        example={"listen": [{"address": "127.0.0.1", "port": 2525, "tls": "none"}]},
    )
    http: HttpModel = setting(..., "what the vendor reaches", example={"url": "https://sms.example.com"})
    desk: DeskModel = setting({}, "what people reach")
    vendor: VendorModel = setting(..., "the SMS vendor", example={"sender": "application@example.com"})
    webhook: WebhookModel = setting(
        ..., "what the webhook must show", example={"secret": {"env": "HOOK_SECRET"}}
    )
    senders: Annotated[list[SenderModel], Field(max_length=10_000)] = setting(
        ..., "the allowlist: the first rule whose address and proof hold; nobody else may send", example=[]
    )
    prefixes: PrefixesModel = setting(..., "where SMS may go", example={"allow": ["+614"]})
    number_types: Annotated[list[NumberTypeWord], Field(min_length=1)] = setting(
        ["mobile"], "kinds of numbers: mobile, fixed, voip, any"
    )
    aliases: dict[AliasName, Annotated[list[PhoneText], Field(min_length=1, max_length=100)]] = setting(
        {}, "names and groups: <alias>@ one of our domains", example={"oncall": ["0421000001", "0421000002"]}
    )
    inbound_to: MailAddress | None = setting(None, "who gets SMS that answer none of ours; default: `admin`")
    text: TextModel = setting({}, "how the text of an SMS is made")
    dns: DnsModel = setting({}, "who is asked about the domains of senders")
    replies: RepliesModel = setting({}, "who mails replies")
    spend_cap: SpendCapModel = setting({}, "what all senders together may spend")
    duplicates: DuplicatesModel = setting({}, "the same mail twice")
    retention: RetentionModel = setting({}, "how long what is over is kept")
    optouts: OptoutsModel = setting({}, "phones that want no SMS")
    expire_after: Annotated[Duration, between("1m", "7d")] = setting(
        "12h", "a queued SMS older than this is not sent"
    )
    velocity: Velocity = setting(
        {},
        "when the admin hears that a sender is far above its habit; off: never",
        json_schema_extra=_or_off,
    )
    outbox: OutboxModel = setting({}, "how our mails go out")
    brands: dict[Name, BrandModel] = setting({}, "looks of the mails; `default` is for rules without `brand`")
    log: LogModel = setting({}, "what is logged")
