"""From a file to the configuration, or to every mistake in it at once with its place.

The one way in. Reads the file; the syntax is `yaml_tree`'s, the keys `model`'s, the rest `crosscheck`'s.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from bridge.config import crosscheck, files, senders_check, wording, yaml_tree
from bridge.config.build import config_of
from bridge.config.model import FileModel
from bridge.config.parts import parts_of
from bridge.config.problem import Finding, Problem, key_path, printable
from bridge.config.settings import Config
from bridge.config.yaml_tree import Node
from bridge.errors import ConfigError

MAX_PROBLEMS = 100  # more are counted, not told


def load(path: str | Path, environ: Mapping[str, str]) -> Config:
    """The configuration in the file at ``path``; secrets come from ``environ`` and files.

    Raises `ConfigError` whose text holds every mistake at once, one a line.
    """
    config, problems = _examine(Path(path), environ)
    if config is None:
        raise ConfigError(_told([p for p in problems if p.severity == "error"]))
    return config


def check(path: str | Path, environ: Mapping[str, str]) -> list[Problem]:
    """Every mistake and warning about the file at ``path``, in the order of its lines."""
    return _examine(Path(path), environ)[1]


def smtp_users_path(path: str | Path) -> Path:
    """Where the file at ``path`` says the SMTP users are, whatever else is wrong in it.

    Users are added before a rule that names them can be right. Raises `ConfigError` when the file cannot be
    read or does not say.
    """
    root, problems = _tree(Path(path))
    if root is None:
        raise ConfigError(_told(problems))
    node, found = root.nearest(("smtp", "users"))
    if not found or not isinstance(node.value, str) or not node.value.isprintable() or not node.value:
        raise ConfigError(
            str(_problem(Finding(("smtp", "users"), "is missing: name the users file"), root, str(path)))
        )
    return files.Surroundings(Path(path).parent, {}).locate(node.value)


def _examine(path: Path, environ: Mapping[str, str]) -> tuple[Config | None, list[Problem]]:
    root, problems = _tree(path)
    if root is None:
        return None, problems
    data, surroundings = root.plain(), files.Surroundings(path.parent, environ)
    found: list[Finding] = []
    model: FileModel | None = None
    try:
        model = FileModel.model_validate(data, context=surroundings)
    except ValidationError as error:
        found += wording.findings(error, FileModel)
    wrong = {finding.path for finding in found}
    parts = parts_of(data, wrong, surroundings)
    across = [*crosscheck.check_all(parts), *senders_check.check_senders(parts)]
    # What holds a mistake has been judged by a stand-in for it: only its own mistake is told.
    around = {path[:length] for path in wrong for length in range(len(path) + 1)}
    found += [finding for finding in across if finding.path not in around]
    problems += [_problem(finding, root, str(path)) for finding in found]
    problems.sort(key=lambda problem: (problem.line, problem.column))
    is_right = model is not None and all(problem.severity == "warning" for problem in problems)
    return (config_of(model) if is_right and model else None), problems


def _tree(path: Path) -> tuple[Node | None, list[Problem]]:
    """The tree of the file, when its syntax is right and it holds keys; else None and what is wrong."""
    file = printable(str(path))
    try:
        text = files.read_bytes(path, yaml_tree.MAX_BYTES).decode()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        column = error.start - error.object.rfind(b"\n", 0, error.start)
        return None, [Problem(file, line, column, "", "is not UTF-8 here: save the file as UTF-8")]
    except ValueError as error:
        return None, [Problem(file, 1, 1, "", str(error))]
    root, problems = yaml_tree.compose(text, file)
    if root is not None and not isinstance(root.value, Mapping):
        what = (
            "a list"
            if isinstance(root.value, tuple)
            else "one value"
            if root.value is not None
            else "nothing"
        )
        text = f"the file holds {what}: it must hold keys, such as domains: [sms.local]"
        return None, [*problems, Problem(file, root.line, root.column, "", text)]
    return root, problems


def _problem(finding: Finding, root: Node, file: str) -> Problem:
    """A finding with its place: the value's, or its key's when the key or something missing is meant."""
    node, _ = root.nearest(finding.path)
    at_key = finding.of_key or isinstance(node.value, Mapping | tuple) or node.value is None
    line, column = (node.key_line, node.key_column) if at_key else (node.line, node.column)
    return Problem(file, line, column, key_path(finding.path), finding.text, finding.severity)


def _told(problems: Iterable[Problem]) -> str:
    lines = [str(problem) for problem in problems]
    if len(lines) > MAX_PROBLEMS:
        lines[MAX_PROBLEMS:] = [f"and {len(lines) - MAX_PROBLEMS:,} more"]
    return "\n".join(lines)
