"""The configuration: one YAML file becomes frozen values, or every mistake in it at once with its place.

The only place that knows YAML and pydantic. An edge: it reads files and is handed the environment.
"""

from bridge.config.certificate import Validity, validity
from bridge.config.files import keep_readers, tls_mistake
from bridge.config.load import check, load, smtp_users_path
from bridge.config.problem import Problem
from bridge.config.schema import json_schema
from bridge.config.settings import (
    Account,
    Config,
    Desk,
    Dkim,
    Endpoint,
    Http,
    Listener,
    Log,
    Outbox,
    Smarthost,
    Smtp,
    Vendor,
    Webhook,
)  # fmt: skip
from bridge.config.users import load_users, remove_user, set_user, user_name

__all__ = [
    "Account", "Config", "Desk", "Dkim", "Endpoint", "Http", "Listener", "Log", "Outbox", "Problem",
    "Smarthost", "Smtp", "Validity", "Vendor", "Webhook", "check", "json_schema", "keep_readers", "load",
    "load_users", "remove_user", "set_user", "smtp_users_path", "tls_mistake", "user_name", "validity",
]  # fmt: skip
