"""Notice templates: a small part of Jinja2, checked when policies are read, so that rendering cannot fail (safety S-41).

A template is text, `{{ variable }}`, `{% if %}` and `{% for %}` over the variables of wording.py, and the filters
`join`, `upper` and `lower`. Calls, attributes, subscripts, arithmetic, macros and includes are refused before Jinja2
compiles anything; the sandbox is the second wall, not the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gateway.policy.problem import Problem
from gateway.responder.wording import LIST_MAX, VARIABLES, Language, Value

TEMPLATE_MAX = 32 * 1024  # characters
TEXT_MAX = 64 * 1024  # characters of what a template yields

_FILTERS = {"join": 1, "upper": 0, "lower": 0}  # with the greatest number of arguments
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If, nodes.For, nodes.CondExpr,
    nodes.Not, nodes.And, nodes.Or, nodes.Compare, nodes.Operand, nodes.Filter,
)  # fmt: skip
_SUBJECT = "Subject:"


class NoticeError(ValueError):
    """A notice cannot be made. str(error) says why."""


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        autoescape=False,  # plain text, never HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.clear()
    environment.tests.clear()
    environment.filters = {name: environment.filters[name] for name in _FILTERS}
    return environment


_ENVIRONMENT = _environment()


def language_of(name: str) -> Language:
    """`notice.vi` is Vietnamese; every other name is English."""
    return "vi" if name.removesuffix(".j2").endswith(".vi") else "en"


def check_template(text: str, name: str) -> list[Problem]:
    """Every problem of a template file; `name` is the file's path within the policy directory.

    What has no problem renders: the parts are checked one by one, then the whole is tried with full and empty values.
    """
    if len(text) > TEMPLATE_MAX:
        return [_problem(name, 0, "", f"longer than {TEMPLATE_MAX} characters", f"dài quá {TEMPLATE_MAX} ký tự")]
    parts = _parts(text)
    if parts is None:
        return [_problem(name, 1, text.split("\n", 1)[0].strip()[:80], *_NO_SUBJECT)]
    found: set[Problem] = set()
    for part in parts:
        try:
            found.update(_wrong_nodes(_ENVIRONMENT.parse(part), name, frozenset()))
        except TemplateSyntaxError as error:
            words = error.message or ""
            found.add(_problem(name, error.lineno, "", f"template syntax: {words}", f"sai cú pháp mẫu: {words}"))
        except RecursionError:
            found.add(_problem(name, 0, "", "template nested too deep", "mẫu lồng nhau quá sâu"))
    return sorted(found) or _trial(parts, name)


_NO_SUBJECT = (
    'the first line must be the subject, "Subject: ...", and the second must be empty',
    'dòng đầu tiên phải là tiêu đề, "Subject: ...", và dòng thứ hai phải trống',
)


def _parts(text: str) -> tuple[str, str] | None:
    """Templates of the subject and of the text, whose line numbers are those of the file; None when not so divided."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")  # as editors on Windows leave it
    first, _, rest = text.partition("\n")
    if not first.startswith(_SUBJECT) or rest.partition("\n")[0].strip() or not rest.strip():
        return None
    return first.removeprefix(_SUBJECT).strip(), "\n" + rest


def _trial(parts: tuple[str, str], name: str) -> list[Problem]:
    """Render with every kind of value full and empty; what goes wrong is a problem of the file as a whole."""
    full: dict[str, Value] = {"text": "x", "truth": True, "list": ("x", "y")}
    empty: dict[str, Value] = {"text": "", "truth": False, "list": ()}
    for texts, others in ((full, full), (full, empty), (empty, full), (empty, empty)):
        values = {word: (texts if kind == "text" else others)[kind] for word, (kind, _, _) in VARIABLES.items()}
        try:
            for part in parts:
                _ENVIRONMENT.from_string(part).render(values)
        except (TemplateError, TypeError, ValueError, SyntaxError, RecursionError) as error:
            return [_problem(name, 0, "", f"cannot be rendered: {error}", f"không dựng được thông báo: {error}")]
    return []


def render(text: str, values: Mapping[str, Value]) -> tuple[str, str]:
    """Render to (subject, text). The text has LF line ends and ends in one. Raises NoticeError."""
    subject, body = _compile(text)
    try:
        return subject.render(values)[:TEXT_MAX].strip(), body.render(values)[:TEXT_MAX].strip("\n") + "\n"
    except (TemplateError, TypeError, ValueError) as error:
        raise NoticeError(f"template: {error}") from error


@lru_cache(maxsize=64)
def _compile(text: str) -> tuple[Template, Template]:
    problems = check_template(text, "template")
    parts = _parts(text)
    if problems or parts is None:
        raise NoticeError(str(problems[0]))
    return _ENVIRONMENT.from_string(parts[0]), _ENVIRONMENT.from_string(parts[1])


def _wrong_nodes(node: nodes.Node, name: str, bound: frozenset[str]) -> Iterator[Problem]:
    """Problems at and below a node; `bound` are the loop variables that are in reach."""
    if not isinstance(node, _ALLOWED):
        kind = type(node).__name__
        en = "only {{ variable }}, filters, {% if %} and {% for %} are known here, not " + kind
        vi = "mẫu chỉ được dùng {{ biến }}, bộ lọc, {% if %} và {% for %}, không được dùng " + kind
        yield _problem(name, node.lineno, kind, en, vi)
        return
    if isinstance(node, nodes.Name) and node.ctx == "load" and node.name not in VARIABLES and node.name not in bound:
        yield _unknown(node, name)
    if isinstance(node, nodes.Filter) and _FILTERS.get(node.name, -1) < len(node.args):
        words = ", ".join(_FILTERS)
        yield _problem(
            name, node.lineno, node.name, f"unknown filter; there are: {words}", f"không có bộ lọc này; chỉ có: {words}"
        )
    if isinstance(node, nodes.Output):
        yield from (_bare_list(n, name) for n in node.nodes if isinstance(n, nodes.Name) and _kind(n.name) == "list")
    if isinstance(node, nodes.For):
        yield from _wrong_loop(node, name, bound)
        return
    for child in node.iter_child_nodes():
        yield from _wrong_nodes(child, name, bound)


def _wrong_loop(node: nodes.For, name: str, bound: frozenset[str]) -> Iterator[Problem]:
    """A loop runs over one of the lists, at most LIST_MAX times, and not inside another loop."""
    over = node.iter.name if isinstance(node.iter, nodes.Name) else ""
    if _kind(over) != "list" or not isinstance(node.target, nodes.Name) or node.recursive or bound:
        lists = ", ".join(word for word, (kind, _, _) in VARIABLES.items() if kind == "list")
        yield _problem(
            name,
            node.lineno,
            over,
            f"a loop must be `for x in LIST`, not nested; lists (at most {LIST_MAX} values): {lists}",
            f"vòng lặp phải có dạng `for x in DANH_SÁCH`, không lồng nhau; danh sách (tối đa {LIST_MAX} giá trị): {lists}",
        )
        return
    inside = bound | {node.target.name}
    for child in (*node.body, *node.else_, *([node.test] if node.test else [])):
        yield from _wrong_nodes(child, name, inside)


def _kind(word: str) -> str:
    return VARIABLES[word][0] if word in VARIABLES else ""


def _bare_list(node: nodes.Name, name: str) -> Problem:
    hint = f'{{{{ {node.name} | join(", ") }}}}'
    return _problem(name, node.lineno, node.name, f"this is a list; write {hint}", f"đây là danh sách; hãy viết {hint}")


def _unknown(node: nodes.Name, name: str) -> Problem:
    words = ", ".join(VARIABLES)
    return _problem(
        name, node.lineno, node.name, f"unknown variable; there are: {words}", f"không có biến này; chỉ có: {words}"
    )


def _problem(name: str, line: int, value: str, en: str, vi: str) -> Problem:
    return Problem(file=name, line=line, column=0, severity="error", value=value, en=en, vi=vi)
