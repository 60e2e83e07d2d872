"""The address of the database, as the file says it: an SQLite file, or a PostgreSQL server.

A PostgreSQL address is read by libpq's own rules (PostgreSQL manual, "Connection URIs"), so that several hosts,
sockets and TLS work as everywhere else.
"""

import re
from urllib.parse import parse_qsl, unquote

from bridge.config import scalars

PASSWORD = "{password}"  # noqa: S105  (stands for one)
_WRONG = (
    "is no database: write sqlite:// and an absolute path, sqlite:///var/lib/smsbridge/bridge.db,"
    " or postgresql://user:{password}@host/name"
)
_POSTGRESQL = re.compile(
    r"postgres(?:ql)?://(?:(?P<user>[^:@/?# ]*)(?::(?P<password>[^@/?# ]*))?@)?[^@/?# ]*"
    r"(?:/(?P<name>[^@/?# ]*))?(?:\?(?P<more>[^# ]*))?"
)


def database_address(value: object) -> str:
    """The path of an SQLite file, or a PostgreSQL URL in which ``{password}`` may stand for the password."""
    written = scalars.text(value)
    if not written.isprintable():
        raise ValueError(_WRONG)
    if written.startswith("sqlite://"):
        path = written.removeprefix("sqlite://")
        if not path.startswith("/") or path.endswith("/"):
            raise ValueError(_WRONG)
        return "/" + path.lstrip("/")
    found = _POSTGRESQL.fullmatch(written)
    if not found:
        raise ValueError(_WRONG)
    more = {name.lower() for name, _ in parse_qsl(found["more"] or "", keep_blank_values=True)}
    if found["password"] not in (None, PASSWORD) or "password" in more:
        raise ValueError("holds a password: write {password} there and give it in database_password")
    if not unquote(found["name"] or "") and "dbname" not in more:
        raise ValueError("names no database: write postgresql://user:{password}@host/name")
    return _understood(written)


def _understood(url: str) -> str:
    """``url``, if libpq understands it; it is asked about such addresses alone, since it takes time to load."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(url)
    except ProgrammingError:
        raise ValueError(
            "has a part that PostgreSQL does not know: its manual lists them as connection URIs"
        ) from None
    return url
