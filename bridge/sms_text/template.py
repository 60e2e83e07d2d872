"""The operator's text template: a small part of Jinja that can neither loop, call nor read attributes.

So it is bounded in time and size by construction. Knows `body`, `subject` and `sender`, nothing else.
"""

from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_LENGTH = 2_000  # characters of a template
MAX_NAMES = 20  # places where a text is put in
MAX_TEXT = 40_000  # characters of one text put in: 255 parts hold fewer
NAMES = frozenset({"body", "subject", "sender"})
FILTERS = ("trim", "upper", "lower", "title", "capitalize", "truncate", "default", "first_line")

_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Filter, nodes.If,
    nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Concat, nodes.Keyword,
)  # fmt: skip


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    environment.filters["first_line"] = _first_line
    environment.filters = {name: environment.filters[name] for name in FILTERS if name in environment.filters}
    environment.globals.clear()
    return environment


_ENVIRONMENT = _environment()


def check_template(source: str) -> str | None:
    """What is wrong with a template, as one sentence, or None when it can be used."""
    if len(source) > MAX_LENGTH:
        return f"the template is longer than {MAX_LENGTH:,} characters"
    try:
        tree = _ENVIRONMENT.parse(source)
        wrong = _wrong_in(tree)
        if wrong is None:
            render(source, body="body", subject="subject", sender="sender@example.com")
    except (TemplateError, TypeError, ValueError, RecursionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return f"the template cannot be read: {reason}"
    return wrong


def render(source: str, *, body: str, subject: str, sender: str) -> str:
    """The text that a checked template makes of one mail."""
    if source.strip() == "{{ body }}":
        return body
    texts = {"body": body, "subject": subject, "sender": sender}
    return _compiled(source).render({name: text[:MAX_TEXT] for name, text in texts.items()})


@lru_cache(maxsize=256)
def _compiled(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)


def _wrong_in(tree: nodes.Template) -> str | None:
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _ALLOWED):
            return f"the template may not use {type(node).__name__.lower()}"
        if isinstance(node, nodes.Name) and node.name not in NAMES:
            return f"the template knows body, subject and sender, not {node.name}"
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            return f"the template may not use the filter {node.name}; it may use {', '.join(FILTERS)}"
    if len(list(tree.find_all(nodes.Name))) > MAX_NAMES:
        return f"the template puts in more than {MAX_NAMES} texts"
    return None
