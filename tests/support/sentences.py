"""What modules of the gateway can say, read from their source: sentences, findings, arguments, returned reasons."""

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from types import MappingProxyType

GATEWAY = Path(__file__).parents[2] / "gateway"
SAMPLE = "mau.longan.edu.vn"  # what stands for a value
# values in an f-string that are no free value, by their expression
KNOWN = {"level.value": "claimed", "arc.result": "none"}
# strings that look like a sentence and are none: a line for policy.yaml
NO_REASON = re.compile(r"trusted_signers: ")


class Sentences(ast.NodeVisitor):
    """The sentences of a module: its longest string expressions, each value replaced by a sample."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        self._keep(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._keep(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if any(isinstance(side, ast.Constant | ast.JoinedStr | ast.BinOp) for side in (node.left, node.right)):
            self._keep(node)
        else:
            self.generic_visit(node)

    def _keep(self, node: ast.expr) -> None:
        own = " ".join(
            part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
        )
        if re.search(r"[A-Za-z]{2}", own) and " " in own:
            self.found += texts(node)


def texts(node: ast.expr, named: Mapping[str, ast.expr] = MappingProxyType({})) -> list[str]:
    """Every text that the expression can give; `named` are the variables whose values are known."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            return ["".join(choice) for choice in product(*(texts(part, named) for part in parts))]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [one + other for one, other in product(texts(left, named), texts(right, named))]
        case ast.IfExp(body=one, orelse=other):
            return texts(one, named) + texts(other, named)
        case ast.BoolOp(values=values):
            return [text for value in values for text in texts(value, named)]
        case ast.FormattedValue(value=value):
            return texts(value, named)
        case ast.Name(id=name) if name in named:
            return texts(named[name], {other: value for other, value in named.items() if other != name})
        case ast.Constant(value=None):
            return []
        case _:
            return [KNOWN.get(ast.unparse(node), SAMPLE)]


def sentences(file: str) -> list[str]:
    visitor = Sentences()
    visitor.visit(ast.parse((GATEWAY / file).read_text("utf-8")))
    assert visitor.found, f"{file} has no reasons any more, or says them in a way that is not seen here"
    return [text for text in visitor.found if not NO_REASON.match(text)]


def findings(file: str) -> list[str]:
    """What functions that give a Finding, `answer, seen`, can have seen; variables of the function looked up."""
    found = []
    for function in ast.walk(ast.parse((GATEWAY / file).read_text("utf-8"))):
        if not isinstance(function, ast.FunctionDef):
            continue
        named = {
            target.id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        gives = ast.unparse(function.returns) if function.returns else ""
        for node in ast.walk(function):
            if not isinstance(node, ast.Return) or node.value is None:
                continue
            if gives == "Finding" and isinstance(node.value, ast.Tuple):
                found += texts(node.value.elts[1], named)
            elif gives == "str":
                found += texts(node.value)
    return [text for text in found if text.replace(SAMPLE, "").strip("<>")]


def called(file: str, *names: str) -> list[str]:
    """String arguments of calls of these names."""
    found = []
    for node in ast.walk(ast.parse((GATEWAY / file).read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in names:
            given = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "reason")]
            found += [text for argument in given if is_text(argument) for text in texts(argument)]
    return [text for text in found if " " in text or "=" in text]


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr | ast.IfExp | ast.BoolOp) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def returned(file: str) -> Iterator[str]:
    for node in ast.walk(ast.parse((GATEWAY / file).read_text("utf-8"))):
        if isinstance(node, ast.Return) and node.value is not None:
            given = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            yield from (text for one in given if is_text(one) for text in texts(one) if " " in text)
