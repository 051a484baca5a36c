"""Read the tests for the published numbers that they reproduce, and where these come from.

A test of published numbers stands in the section "Published" of its file. Its name is what it
proves, its first comment (or the one above a constant that it uses) is the source, and the
numbers are what it compares with.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

# A comment between blank lines opens a section of a test file.
_SECTION: Final = re.compile(r"(?<=\n\n)# (.+)\n(?=\n)")
_NUMBER: Final = re.compile(r"[-+]?\d[\d.,_]*(e[-+]?\d+)?")
_MOST_SHOWN: Final = 12

_INTRO: Final = """# Published numbers

Numbers that others have printed, and that crmkit's tests get again: to as many digits as were
printed, where a test does not say otherwise. This page is made from the tests. The numbers are
those that a test compares with; where there are many, the first are shown.
"""


class Proof(NamedTuple):
    """A test of published numbers."""

    sentence: str
    numbers: list[str]
    source: str


def published_page(tests: Path) -> str:
    """List the published numbers of all test files, file by file."""
    parts = [_INTRO]
    for path in sorted(tests.glob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        found = list(proofs(text))
        if found:
            title = (ast.get_docstring(ast.parse(text)) or path.stem).partition(":")[0].rstrip(".")
            heading = f"## {title}\n\nIn `tests/{path.name}`:\n"
            rows = [f"| {p.sentence} | {_shown(p.numbers)} | {p.source} |" for p in found]
            parts += [heading, "| what | numbers | source |", "| --- | --- | --- |", *rows, ""]
    return "\n".join(parts)


def proofs(text: str) -> Iterator[Proof]:
    """Find the tests in the section of published numbers."""
    tree = ast.parse(text)
    comments = dict(_comments(text))
    constants = {name: value for node in tree.body for name, value in _named(node)}
    sections = [(text[: m.start()].count("\n") + 1, m[1]) for m in _SECTION.finditer(text)]
    for test in tree.body:
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
            section = next((name for line, name in reversed(sections) if line < test.lineno), "")
            if section.startswith("Published"):
                numbers = list(dict.fromkeys(_expected(test, constants)))
                said = _source(test, comments, constants) or section.partition(": ")[2]
                sentence = test.name.removeprefix("test_").replace("_", " ")
                yield Proof(
                    sentence[0].upper() + sentence[1:],
                    numbers,
                    said.replace("|", "\\|").rstrip("."),
                )


def _shown(numbers: list[str]) -> str:
    more = f" and {len(numbers) - _MOST_SHOWN} more" if len(numbers) > _MOST_SHOWN else ""
    return ", ".join(numbers[:_MOST_SHOWN]) + more


# Where the numbers come from


def _comments(text: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.removeprefix("#").strip()


def _source(
    test: ast.FunctionDef, comments: Mapping[int, str], constants: Mapping[str, ast.expr]
) -> str:
    """Take the test's own comment, the one above a constant of its, or the names of its cases."""
    first = min([test.lineno, *(each.lineno for each in test.decorator_list)])
    own = next((n for n in range(first, (test.end_lineno or first) + 1) if n in comments), None)
    if own is not None:
        return _block(comments, own)
    used = [node.id for node in ast.walk(test) if isinstance(node, ast.Name)]
    lines = [constants[name].lineno - 1 for name in used if name in constants]
    above = [_block(comments, line, step=-1) for line in lines if line in comments]
    cases = [each for each in ast.walk(test) if isinstance(each, ast.keyword) and each.arg == "id"]
    return (above or [", ".join(ast.literal_eval(case.value) for case in cases)])[0]


def _block(comments: Mapping[int, str], line: int, *, step: int = 1) -> str:
    """Join the lines of a comment."""
    words = []
    while line in comments:
        words.append(comments[line])
        line += step
    return " ".join(words[::step])


# What a test expects: numbers to the right of a comparison, or behind a name that stands there


def _expected(test: ast.FunctionDef, constants: Mapping[str, ast.expr]) -> Iterator[str]:
    known = {**constants, **_cases(test)}
    known |= {name: value for node in ast.walk(test) for name, value in _named(node)}
    for node in ast.walk(test):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq):
            for side in node.comparators:
                yield from _numbers(side, known)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("assert_allclose"):
            yield from _numbers(node.args[1], known)


def _named(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Tell what an assignment gives a name to."""
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    value = getattr(node, "value", None)
    for target in targets:
        if isinstance(target, ast.Name) and isinstance(value, ast.expr):
            yield target.id, value


def _cases(test: ast.FunctionDef) -> dict[str, ast.expr]:
    """Gather the values that each parameter of a test takes."""
    found: dict[str, ast.List] = {}
    for decorator in test.decorator_list:
        match decorator:
            case ast.Call(args=[ast.Tuple(elts=names), ast.List(elts=cases)]):
                for case in cases:
                    values = case.args if isinstance(case, ast.Call) else getattr(case, "elts", [])
                    for name, value in zip(map(ast.literal_eval, names), values, strict=True):
                        found.setdefault(name, ast.List([])).elts.append(value)
    return dict(found)


def _numbers(node: ast.expr, known: Mapping[str, ast.expr]) -> Iterator[str]:
    """Give the numbers of an expression as they are written."""
    inner: list[ast.expr] = []
    match node:
        case ast.Constant(value=value) if all(map(_NUMBER.fullmatch, str(value).split())):
            yield from str(value).split()
        case ast.UnaryOp(operand=ast.Constant()):
            yield ast.unparse(node)
        case ast.Name(id=name) if name in known:
            inner, known = [known[name]], {}
        case ast.Call(args=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
            inner = parts
        case ast.Dict(values=parts):
            inner = parts
    for part in inner:
        yield from _numbers(part, known)
