"""The house rules that linters cannot see."""

from __future__ import annotations

import inspect
import pkgutil
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


@pytest.mark.parametrize("room", [crmkit, *ROOMS], ids=lambda room: str(room.__name__))
def test_public_names_are_sorted_and_exist(room: Any) -> None:
    assert list(room.__all__) == sorted(room.__all__)
    assert all(hasattr(room, name) for name in room.__all__)


@pytest.mark.parametrize(("name", "function"), PUBLIC, ids=[name for name, _ in PUBLIC])
def test_options_come_by_name(name: str, function: Callable[..., Any]) -> None:
    first, *others = inspect.signature(function).parameters.values()
    assert all(each.kind is each.KEYWORD_ONLY for each in others), name
    assert first.kind is first.KEYWORD_ONLY or first.default is first.empty


@pytest.mark.parametrize(("name", "function"), PUBLIC, ids=[name for name, _ in PUBLIC])
def test_every_public_function_says_what_it_gives_and_shows_it(
    name: str, function: Callable[..., Any]
) -> None:
    text = inspect.getdoc(function) or ""
    assert "Returns\n-------" in text, name
    assert ">>> " in text.partition("Examples\n--------\n")[2], name


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


def test_there_is_no_drawer() -> None:
    names = {module.name.rpartition(".")[2] for module in pkgutil.walk_packages([str(SOURCE)])}
    assert names.isdisjoint({"utils", "helpers", "common", "base", "core", "misc", "processing"})
