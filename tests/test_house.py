"""The house rules that linters cannot see."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import crmkit

SOURCE = Path(crmkit.__file__).parent
ROOMS = [
    room for room in (getattr(crmkit, name) for name in crmkit.__all__) if inspect.ismodule(room)
]
PUBLIC: list[tuple[str, Callable[..., Any]]] = [
    (f"{room.__name__}.{name}", getattr(room, name))
    for room in ROOMS
    for name in room.__all__
    if inspect.isfunction(getattr(room, name))
]
BANNED = re.compile(
    r"\b(?:is|are) no\b|\bso many\b|\b(?:is|are) due\b|\btakes it that\b|\btake it that\b"
    r"|\bwhich \S+ ha(?:s|ve) not\b|\bof late\b|\bhow lately\b"
)
"""Phrases of the dictionary in CONTRIBUTING.md that an analyst would not write."""
HEAVY = [
    "duckdb",
    "jinja2",
    "matplotlib",
    "pandas",
    "polars",
    "pyarrow",
    "scipy.integrate",
    "scipy.optimize",
    "scipy.stats",
    "sklearn",
]


def _leaf(name: str) -> str:
    return name.rpartition(".")[2]


@pytest.mark.parametrize("room", [crmkit, *ROOMS], ids=lambda room: str(room.__name__))
def test_public_names_are_sorted_and_exist(room: Any) -> None:
    assert list(room.__all__) == sorted(room.__all__)
    assert all(hasattr(room, name) for name in room.__all__)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.__name__))
def test_a_room_shows_its_public_names_only(room: Any) -> None:
    assert {name for name in dir(room) if not name.startswith("_")} == set(room.__all__)


def test_no_module_hides_behind_a_function_of_its_name() -> None:
    """What a package imports must not take the place of a module of the same name."""
    modules = [info.name for info in pkgutil.walk_packages([str(SOURCE)], "crmkit.")]
    packages = {name: importlib.import_module(name.rpartition(".")[0]) for name in modules}
    for name in modules:
        importlib.import_module(name)
    hidden = [n for n, package in packages.items() if not inspect.ismodule(vars(package)[_leaf(n)])]
    assert hidden == []


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.__name__))
def test_the_file_of_a_room_lists_its_functions_with_their_first_lines(room: Any) -> None:
    listed = dict(re.findall(r"^    (\w+): (.*)$", room.__doc__, flags=re.MULTILINE))
    assert set(listed) == set(room.__all__)
    for name, line in listed.items():
        thing = getattr(room, name)
        if inspect.isfunction(thing) or inspect.isclass(thing):
            assert line == (inspect.getdoc(thing) or "").partition("\n")[0], name


SECOND_TABLES = ("after", "contacts", "customers", "orders", "proposed", "referrals", "target")
"""Tables that stand beside the first one, as equals."""


@pytest.mark.parametrize(("name", "function"), PUBLIC, ids=[name for name, _ in PUBLIC])
def test_options_come_by_name(name: str, function: Callable[..., Any]) -> None:
    first, *others = inspect.signature(function).parameters.values()
    options = [each for each in others if each.name not in SECOND_TABLES]
    assert all(each.kind is each.KEYWORD_ONLY for each in options), name
    assert first.kind is first.KEYWORD_ONLY or first.default is first.empty


@pytest.mark.parametrize(("name", "function"), PUBLIC, ids=[name for name, _ in PUBLIC])
def test_every_public_function_says_what_it_gives_and_shows_it(
    name: str, function: Callable[..., Any]
) -> None:
    text = inspect.getdoc(function) or ""
    assert "Returns\n-------" in text, name
    assert ">>> " in text.partition("Examples\n--------\n")[2], name


@pytest.mark.slow
@pytest.mark.parametrize("room", ["crmkit", *(room.__name__ for room in ROOMS)])
def test_importing_a_room_imports_nothing_heavy(room: str) -> None:
    code = f"import sys, {room}; sys.exit(', '.join(set({HEAVY}) & set(sys.modules)) or None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_file_can_be_read_in_one_sitting() -> None:
    long = {
        str(path.relative_to(SOURCE)): len(path.read_text(encoding="utf-8").splitlines())
        for path in SOURCE.rglob("*.py")
    }
    assert {name: lines for name, lines in long.items() if lines > 400} == {}


@pytest.mark.parametrize("folder", ["src", "docs", "."])
def test_the_text_is_plain_english(folder: str) -> None:
    root = SOURCE.parents[1]
    files = [
        *(root / folder).glob("*.md" if folder == "." else "**/*.md"),
        *(root / folder).rglob("*.py" if folder == "src" else "*.nothing"),
    ]
    found = {
        f"{path.relative_to(root)}: {phrase}"
        for path in files
        if path.name not in {"CONTRIBUTING.md", "CHANGELOG.md", "published.md"}
        for phrase in BANNED.findall(" ".join(path.read_text(encoding="utf-8").split()))
    }
    assert found == set()


def test_there_is_no_drawer() -> None:
    names = {_leaf(module.name) for module in pkgutil.walk_packages([str(SOURCE)])}
    assert names.isdisjoint({"utils", "helpers", "common", "base", "core", "misc", "processing"})
