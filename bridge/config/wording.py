"""From what pydantic found to our findings: a sentence each, what is wrong and what would be right.

Repeats no value of the file, only names of keys: a value may be a secret that stands at the wrong place.
"""

import difflib
import types
from collections.abc import Iterator, Mapping
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bridge.config import later
from bridge.config.problem import Finding, KeyPath, shown_key

_MAX_GUESS = 64  # characters of a key worth comparing
_SENTENCES = {
    "int_type": "must be a whole number",
    "string_type": "must be text",
    "list_type": "must be a list in [..], or lines that begin with -",
    "dict_type": "must be a mapping of names and values",
    "model_type": "must be a mapping of keys",
    "too_short": "must not be empty",
}


def findings(error: ValidationError, root: type[BaseModel]) -> Iterator[Finding]:
    """One finding per mistake that was met in validating ``root``."""
    for detail in error.errors(include_url=False, include_input=False):
        path = tuple(step for step in detail["loc"] if step != "[key]")
        yield Finding(
            path,
            _sentence(detail, path, root),
            of_key=detail["type"] == "extra_forbidden" or detail["loc"][-1:] == ("[key]",),
        )


def _sentence(detail: ErrorDetails, path: KeyPath, root: type[BaseModel]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "extra_forbidden":
        return _unknown_key(path, root)
    if kind == "missing":
        return f"is missing: add it{_example(path, root)}"
    if kind == "literal_error":
        return f"must be {str(context['expected']).replace(chr(39), '')}"
    if kind in ("greater_than_equal", "less_than_equal"):
        bound, words = ("ge", "at least") if kind == "greater_than_equal" else ("le", "at most")
        return f"must be {words} {context[bound]:,}"
    if kind == "too_long":
        return f"must have at most {context['max_length']:,} entries"
    return f"{_SENTENCES.get(kind, detail['msg'])}{_example(path, root)}"


def _unknown_key(path: KeyPath, root: type[BaseModel]) -> str:
    told = later.key_text(path)
    if told:
        return told
    known = sorted(_keys(root, path[:-1]))
    wrong = str(path[-1])
    near = (
        difflib.get_close_matches(wrong.lower(), known, n=1, cutoff=0.6) if len(wrong) <= _MAX_GUESS else []
    )
    if near:
        return f"is no key here: did you mean {near[0]}?"
    return f"is no key here: {shown_key(wrong)} is not one of {', '.join(known)}"


def _keys(root: type[BaseModel], path: KeyPath) -> Mapping[str, FieldInfo]:
    model = section_of(_annotation(root, path))
    return {field.alias or name: field for name, field in model.model_fields.items()} if model else {}


def _example(path: KeyPath, root: type[BaseModel]) -> str:
    field = _keys(root, path[:-1]).get(str(path[-1])) if path else None
    if field is None or not field.examples or field.examples[0] in ([], {}, ""):
        return ""
    return f", such as {_flow(field.examples[0])}"


def _flow(value: Any) -> str:
    """A small value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    needs_quotes = isinstance(value, str) and value[:1] in "*&!%@`#+0{"
    return f'"{value}"' if needs_quotes else str(value)


def _annotation(annotation: Any, path: KeyPath) -> Any:
    """The type at ``path`` below a type."""
    for step in path:
        model = section_of(annotation)
        if model is not None:
            fields = {field.alias or name: field for name, field in model.model_fields.items()}
            annotation = fields[str(step)].annotation if step in fields else None
        else:
            annotation = next(iter(reversed(get_args(bare(annotation)))), None)
    return annotation


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The section that a type is, or None."""
    found = bare(annotation)
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def bare(annotation: Any) -> Any:
    """A type without `Annotated` and `| None`."""
    while True:
        if hasattr(annotation, "__metadata__"):
            annotation = annotation.__origin__
        elif get_origin(annotation) in (Union, types.UnionType):
            annotation = next((a for a in get_args(annotation) if a is not type(None)), None)
        else:
            return annotation
