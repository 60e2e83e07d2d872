"""The templates of mails: ours, and a brand's own files that replace ours one by one, in a sandbox.

A brand's template may lay out what a `View` holds and nothing else. It is bounded by what it may be built of
(no macros, no loops in loops, no includes or blocks in loops, few filters, no long joins) and by the size of what it
writes.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from traceback import walk_tb
from typing import Final, cast

from jinja2 import (
    BaseLoader,
    Environment,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    nodes,
    pass_eval_context,
)
from jinja2.filters import do_join
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

MAX_SOURCE: Final = 200_000  # characters of one template
MAX_OUTPUT: Final = 200_000  # characters a template may write; ours stay below 90,000
MAX_JOINED: Final = (
    20_000  # characters that one join may make: joins of joins multiply, before anything is written
)
MAX_INCLUDES: Final = 20  # in one file of a brand
FILTERS: Final = frozenset(
    {
        "e",
        "escape",
        "trim",
        "upper",
        "lower",
        "title",
        "capitalize",
        "default",
        "length",
        "join",
        "first",
        "last",
    }
)

_NAME: Final = re.compile(r"(?:[a-z0-9_-]+/)?[a-z0-9_-]+\.(?:txt|html|css)")
_ALLOWED: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Filter, nodes.If,
    nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Concat, nodes.Keyword,
    nodes.For, nodes.Getattr, nodes.Block, nodes.Extends, nodes.Include, nodes.Test,
)  # fmt: skip
_FAULTS: Final = (
    TemplateError, ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError,
    ValueError,
)  # fmt: skip


class TemplateFault(Exception):
    """A template that cannot be used. ``str()`` says why, on one line, with nothing of a mail in it."""


class _Unfit(ValueError):
    """What a brand's ``file`` holds may not be used."""

    def __init__(self, file: str, why: str) -> None:
        super().__init__(why)
        self.file = file


def folder() -> Path:
    """Where our templates are: beside the package's code in a wheel, at the top of a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_templates"
    return (installed if installed.is_dir() else package.parent / "templates") / "mail"


class Templates:
    """The templates of one brand; ours alone when ``own`` is None. Each file is read and checked once."""

    def __init__(self, own: Path | None = None, ours: Path | None = None) -> None:
        self._environment = _environment(_Loader(ours or folder(), own))

    def render(self, name: str, context: Mapping[str, object]) -> str:
        """The text that template ``name`` makes of ``context``. Raises `TemplateFault`."""
        try:
            return _bounded(self._environment, name, context)
        except _FAULTS as error:
            raise TemplateFault(f"{_file(error, name)}: {_why(error)}") from error


class _Loader(BaseLoader):
    """A file of the brand's folder if there is one and it may be used, else ours."""

    def __init__(self, ours: Path, own: Path | None) -> None:
        self._ours, self._own = ours, own

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        if not _NAME.fullmatch(template):
            raise TemplateNotFound(template)
        if self._own and (self._own / template).is_file():
            try:
                source = _read(self._own / template)
                _check(environment.parse(source, template), template)
            except ValueError as error:
                raise _Unfit(template, str(error)) from error
            return source, template, _unchanged
        if not (self._ours / template).is_file():
            raise TemplateNotFound(template)
        return _read(self._ours / template), template, _unchanged


def _unchanged() -> bool:
    return True


def _read(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        source = file.read(MAX_SOURCE + 1)
    if len(source) > MAX_SOURCE:
        raise ValueError(f"it is longer than {MAX_SOURCE:,} characters")
    return source


def _environment(loader: BaseLoader) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=loader,
        undefined=StrictUndefined,
        autoescape=_escapes,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    environment.filters |= {"lines": _lines, "quote": _quote, "join": _join}
    environment.globals.clear()
    return environment


def _escapes(name: str | None) -> bool:
    return name is None or not name.endswith(".txt")


def _lines(text: str) -> Markup:
    """Text with its lines kept, for HTML."""
    return Markup("<br>\n").join(escape(line) for line in text.split("\n"))


@pass_eval_context
def _join(
    context: nodes.EvalContext, items: Iterable[object], mark: str = "", attribute: str | None = None
) -> str:
    """As Jinja's own. Raises ValueError for more than a mail could show."""
    things = list(items)
    alone = do_join(context, things, "", attribute)
    if len(alone) + len(things) * len(str(mark)) > MAX_JOINED:
        raise ValueError(f"a join may make at most {MAX_JOINED:,} characters")
    return cast(str, do_join(context, things, mark, attribute))


def _quote(text: str) -> str:
    """Text with a mark before each line, for the text part: so nothing in it looks like a line of ours."""
    return "\n".join(f"> {line}" for line in text.split("\n"))


def _bounded(environment: Environment, name: str, context: Mapping[str, object]) -> str:
    written: list[str] = []
    length = 0
    for piece in environment.get_template(name).generate(context):
        length += len(piece)
        if length > MAX_OUTPUT:
            raise ValueError(f"it writes more than {MAX_OUTPUT:,} characters")
        written.append(piece)
    return "".join(written)


def _check(tree: nodes.Template, name: str) -> None:
    """Raise ValueError for what a brand's template may not do."""
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _ALLOWED):
            raise ValueError(f"line {node.lineno}: it may not use {type(node).__name__.lower()}")
        if isinstance(node, nodes.Filter) and node.name not in FILTERS | {"lines", "quote"}:
            raise ValueError(f"line {node.lineno}: it may not use the filter {node.name}")
        if isinstance(node, nodes.For) and _inner(node):
            raise ValueError(f"line {node.lineno}: a loop may hold no loop, block or include")
    _check_includes(tree, name)


def _inner(loop: nodes.For) -> bool:
    return loop.recursive or any(
        isinstance(node, nodes.For | nodes.Block | nodes.Include) for node in loop.find_all(nodes.Node)
    )


def _check_includes(tree: nodes.Template, name: str) -> None:
    """A part includes nothing: so files cannot multiply each other."""
    includes = [node.template for node in tree.find_all(nodes.Include)]
    named = [*includes, *(node.template for node in tree.find_all(nodes.Extends))]
    if any(not isinstance(node, nodes.Const) for node in named):
        raise ValueError("the names of included files must be plain texts")
    if name.startswith("parts/") and named:
        raise ValueError("a file of parts/ may include nothing")
    if len(includes) > MAX_INCLUDES or not all(_is_part(node) for node in includes):
        raise ValueError(f"it may include at most {MAX_INCLUDES} files, all of parts/ or style.css")


def _is_part(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Const) and str(node.value).startswith(("parts/", "style.css"))


def _file(error: BaseException, asked: str) -> str:
    """The template in which the fault lies: the one that was asked for, or one that it includes or extends."""
    if isinstance(error, _Unfit):
        return error.file
    if isinstance(error, TemplateSyntaxError) and error.name:
        return error.name
    files = (frame.f_code.co_filename for frame, _ in walk_tb(error.__traceback__))
    return [asked, *filter(_NAME.fullmatch, files)][-1]


def _why(error: BaseException) -> str:
    """The kind of fault and its first words; a template error speaks of the template, never of the mail."""
    if isinstance(error, TemplateNotFound):
        return f"there is no file {error.name}"
    if isinstance(error, OSError):
        return f"it cannot be read: {error.strerror}"
    line = getattr(error, "lineno", None)
    said = (str(error).splitlines() or [""])[0][:200]
    return f"{f'line {line}: ' if line else ''}{said or type(error).__name__}"
