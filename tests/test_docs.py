"""The documentation says what the code does: its examples run, its pages are complete."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import crmkit
from crmkit import tables

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = {"python", "pycon"}
ROOMS = [
    name for name in crmkit.__all__ if name in {path.stem for path in DOCS.glob("reference/*")}
]
# What a browser fetches by itself; a link to follow is none of it.
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(?:https?:)?//"""
    r"""|<link\b[^>]*\bhref=["']?(?:https?:)?//|url\(["']?(?:https?:)?//|@import"""
)


class Block(NamedTuple):
    """A fenced block: its language, its text, and the line that it begins on."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(found[1], found[2], text[: found.start(2)].count("\n"))
        for found in FENCE.finditer(text)
    ]


PAGES = [
    page
    for page in [*sorted(DOCS.glob("*.md")), *ROOT.glob("README.md")]
    if any(block.language in CODE for block in blocks(page))
]


def run_session(block: Block, names: dict[str, Any], page: Path) -> str:
    """Run a block of prompts, and tell where its output is not what the page shows."""
    test = doctest.DocTestParser().get_doctest(block.text, {}, page.name, str(page), block.line)
    test.globs = names
    report = io.StringIO()
    doctest.DocTestRunner(verbose=False).run(test, out=report.write, clear_globs=False)
    return report.getvalue()


def run_script(block: Block, names: dict[str, Any], page: Path) -> str:
    """Run a block without prompts, and give what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block.text, str(page), "exec"), names)
    return printed.getvalue()


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


# The examples run


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_code_of_a_page_gives_what_the_page_shows(
    page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    found = blocks(page)
    for block, after in zip(found, [*found[1:], None], strict=True):
        if block.language in CODE:
            if ">>> " in block.text:
                differences = run_session(block, names, page)
                assert not differences, differences
            else:
                printed = run_script(block, names, page)
                if after is not None and after.language == "text":
                    assert printed == after.text


@pytest.mark.parametrize(
    "script", sorted(ROOT.glob("examples/*.py")), ids=lambda path: str(path.name)
)
def test_an_example_runs_without_a_warning(script: Path) -> None:
    done = run("-W", "error", str(script))
    assert (done.returncode, done.stderr) == (0, "")
    assert "call now" in done.stdout


# The pages are complete


def test_the_pages_made_from_code_are_up_to_date() -> None:
    done = run("docs/make_pages.py", "--check")
    assert (done.stdout, done.returncode) == ("", 0)


def public_names() -> Iterator[str]:
    for name in crmkit.__all__:
        if name in ROOMS:
            room = importlib.import_module(f"crmkit.{name}")
            yield from (f"crmkit.{name}.{each}" for each in room.__all__)
        else:
            yield f"crmkit.{name}"


def test_every_public_name_is_in_the_reference() -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in DOCS.glob("reference/*.md"))
    shown = set(re.findall(r"^::: (\S+)$", pages, re.MULTILINE))
    assert set(public_names()) - shown == set()


def test_every_column_of_every_table_is_explained() -> None:
    declared = {
        f"| `{column.name}` |"
        for table in vars(tables).values()
        if isinstance(table, tables.Table)
        for column in table.columns
    }
    for name in ("tables.md", "glossary.md"):
        page = (DOCS / name).read_text(encoding="utf-8")
        assert {cell for cell in declared if cell not in page} == set()


def test_the_papers_numbers_are_listed_with_their_source() -> None:
    page = (DOCS / "published.md").read_text(encoding="utf-8")
    (line,) = [
        line
        for line in page.splitlines()
        if line.startswith("| The fit prints as the paper does | 0.243")
    ]
    assert line == (
        "| The fit prints as the paper does | 0.243, 4.414, 0.793, 2.426, -9582.4 "
        "| Fader, Hardie & Lee (2005), Table 2: r, alpha (weeks), a, b and the log-likelihood |"
    )


# The site


def test_the_site_builds_and_loads_nothing_from_a_network(tmp_path: Path) -> None:
    done = run("-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "")
    pages = [*tmp_path.rglob("*.html"), *tmp_path.rglob("*.css")]
    assert len(pages) > len(PAGES)
    fetched = {
        page.name: found[0]
        for page in pages
        if (found := FETCHED.search(page.read_text(encoding="utf-8")))
    }
    assert fetched == {}
