"""The JSON schema of the file, made from the model (interface: `smsbridge schema`).

Editors complete and check keys by it.
"""

from typing import Any

from bridge.config.model import FileModel

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """A JSON schema (draft 2020-12) with titles, descriptions, defaults as they are written, and examples."""
    schema = FileModel.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": DIALECT, **schema, "title": "Email-to-SMS bridge"}
