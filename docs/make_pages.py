"""Make the pages that say what the code says: tables, glossary, reference, published numbers.

`python docs/make_pages.py` writes them; with `--check` it fails where one is not up to date. The
list of functions in the docstring of each room is made from their first lines in the same way:
its sections and their order are written by hand.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

from published_numbers import published_page

import crmkit
from crmkit import models, tables
from crmkit.tables import Column, Rule, Table

DOCS: Final = Path(__file__).parent
_MADE: Final = "<!-- Made by docs/make_pages.py; edit the code, not this page. -->\n\n"

_MODULES: Final = [info.name for info in pkgutil.iter_modules(crmkit.__path__)]

# One row of a table of columns in a docstring, and the lines that go on with its last cell.
_COLUMN_ROW: Final = re.compile(
    r"^``(\w+)`` +\S+(?: \S+)? {2,}(\S.*(?:\n {8,}\S.*)*)", flags=re.MULTILINE
)

# A section of a room's docstring: its title, and a line for each public name.
_SECTION: Final = re.compile(
    r"^(?P<title>[A-Z][^\n:]*)\n(?P<lines>(?: {4}\w+: \S[^\n]*\n?)+)", re.MULTILINE
)
_WITHOUT_SECTIONS: Final = ("crmkit", "crmkit.models")
_LINE: Final = re.compile(r"^ {4}(?P<name>\w+): (?P<says>.*)$", re.MULTILINE)

_TABLES_INTRO: Final = """# Tables

What each table promises, column by column. A function holds the table that it is given to these
promises, and says which rows break them. Further columns are welcome.

A *key* is an identifier of any one type, a *count* a whole number, a *number* a finite one, a
*date* a day or a time without a zone, and a *flag* true or false.
"""

_GLOSSARY_INTRO: Final = """# Glossary

What each column means, and which functions give it. All durations are in days, all shares and
rates are fractions, and money is a plain number in one currency. Null means unknown, zero means
none.
"""


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` say which are not up to date."""
    pages = {DOCS / name: _MADE + text for name, text in all_pages()}
    pages |= {Path(str(room.__file__)): face(room) for room in rooms()}
    left_over = set((DOCS / "reference").glob("*.md")) - set(pages)
    unlisted = [f"{room.__name__}.{name}" for room in rooms() for name in unlisted_names(room)]
    stale = [
        path
        for path, text in pages.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in arguments:
        for path in sorted([*stale, *left_over]):
            name = path.relative_to(DOCS.parent)
            print(f"{name} is not up to date: run docs/make_pages.py")
        for name in unlisted:
            print(f"{name} is in no section of its room's docstring")
        return int(bool(stale or left_over or unlisted))
    (DOCS / "reference").mkdir(exist_ok=True)
    for path in left_over:
        path.unlink()
    for path in stale:
        path.write_text(pages[path], encoding="utf-8")
    return 0


def all_pages() -> Iterator[tuple[str, str]]:
    """Give the name and text of each page."""
    yield "tables.md", tables_page()
    yield "glossary.md", glossary_page()
    yield "published.md", published_page(DOCS.parent / "tests")
    for room in rooms():
        yield f"reference/{room.__name__.rpartition('.')[2]}.md", reference_page(room)


def rooms() -> list[ModuleType]:
    """List crmkit, the rooms that it names, and its models; tables have a page of their own."""
    names = [name for name in crmkit.__all__ if name in _MODULES]
    return [crmkit, *(importlib.import_module(f"crmkit.{name}") for name in [*names, "models"])]


# The reference


def sections(room: ModuleType) -> dict[str, list[str]]:
    """Give the public names of each section of a room, as its docstring lists them."""
    text = inspect.getdoc(room) or ""
    return {
        found["title"]: [line["name"] for line in _LINE.finditer(found["lines"])]
        for found in _SECTION.finditer(text + "\n")
    }


def unlisted_names(room: ModuleType) -> list[str]:
    """List public names of a room that no section has, or more than one."""
    if room.__name__ in _WITHOUT_SECTIONS:
        return []
    listed = [name for names in sections(room).values() for name in names]
    return [name for name in dict.fromkeys([*_names(room), *listed]) if listed.count(name) != 1]


def face(room: ModuleType) -> str:
    """Write a room's file with the first line of each docstring beside its name."""
    text = Path(str(room.__file__)).read_text(encoding="utf-8")
    doc = text[: text.index('"""', 3)]

    def line(found: re.Match[str]) -> str:
        thing = getattr(room, found["name"])
        says = (inspect.getdoc(thing) or "").partition("\n")[0]
        is_value = not (inspect.isfunction(thing) or inspect.isclass(thing))
        return found[0] if is_value else f"    {found['name']}: {says}"

    made = _SECTION.sub(lambda found: _LINE.sub(line, found[0]), doc)
    return made + text[len(doc) :]


def reference_page(room: ModuleType) -> str:
    """Name everything public in a room by section; mkdocstrings writes out the docstrings."""
    if room.__name__ in _WITHOUT_SECTIONS:
        directives = "\n".join(f"::: {room.__name__}.{name}\n" for name in _names(room))
        table = f"{model_table()}\n" if room is models else ""
        return f"# {room.__name__}\n\n{inspect.getdoc(room)}\n\n{table}{directives}"
    intro = _SECTION.split(inspect.getdoc(room) or "")[0].strip()
    parts = [
        f"## {title}\n\n" + "\n".join(f"::: {room.__name__}.{name}\n" for name in names)
        for title, names in sections(room).items()
    ]
    return f"# {room.__name__}\n\n{intro}\n\n" + "\n".join(parts)


def model_table() -> str:
    """List the models with their facts: name, parameters, when to use each."""
    rows = [
        f"| `{fact['name']}` | {fact['title']} | {fact['parameters']} | {fact['use']} |"
        for fact in models.summary_table()
    ]
    head = "| name | model | parameters | when to use it |\n| --- | --- | --- | --- |\n"
    return head + "\n".join(rows) + "\n"


def public_functions() -> Iterator[tuple[str, Callable[..., object]]]:
    """Give each public function once, by the name of its room."""
    for room in rooms()[1:]:
        for name in _names(room):
            if inspect.isfunction(getattr(room, name)):
                yield f"{room.__name__}.{name}", getattr(room, name)


def _names(room: ModuleType) -> list[str]:
    """List what is public in a room, but for the rooms of crmkit itself."""
    return [name for name in room.__all__ if room is not crmkit or name not in _MODULES]


# Tables and their columns


def contracts() -> list[Table]:
    """List every table contract, in the order of the source."""
    files = (
        *(tables.records, tables.contacts, tables.customers, tables.risk, tables.survival),
        *(tables.lifecycle, tables.churn, tables.tiers, tables.campaigns, tables.events),
        *(tables.groups, tables.sales, tables.summaries),
    )
    found = (each for file in files for each in vars(file).values() if isinstance(each, Table))
    return [*dict.fromkeys(found), tables.customers_with("total_amount")]


def tables_page() -> str:
    """Write out each contract; those of one name stand together."""
    by_name: dict[str, list[Table]] = {}
    for table in contracts():
        by_name.setdefault(table.name, []).append(table)
    parts = [
        f"## {name[0].upper()}{name[1:]}\n\n"
        + "\nOr, in another form:\n\n".join(map(_contract, forms))
        for name, forms in by_name.items()
    ]
    return "\n".join([_TABLES_INTRO, *parts])


def _contract(table: Table) -> str:
    lines = [
        f"One row is {table.row}. Made by {_linked(table.made_by)}.",
        "",
        "| column | kind | meaning | values |",
        "| --- | --- | --- | --- |",
        *(f"| `{c.name}` | {c.kind} | {c.meaning} | {_values(c)} |" for c in table.columns),
    ]
    rules = [f"{_rule(rule)}: {rule.because}." for rule in table.rules]
    if table.one_row_each:
        rules.append(f"No two rows have the same `{table.one_row_each}`.")
    return "\n\n".join(["\n".join(lines), *rules]) + "\n"


def _rule(rule: Rule) -> str:
    if rule.only_at_zero:
        return f"Where `{rule.upper}` is 0, so is `{rule.lower}`"
    return f"`{rule.lower}` never exceeds `{rule.upper}`"


def _values(column: Column) -> str:
    low, high = column.minimum, column.maximum
    said = [] if low is None else [f"{low:g} or more" if high is None else f"{low:g} to {high:g}"]
    said += ["may be null"] if column.nullable else []
    said += [] if column.required else ["may be left out"]
    return ", ".join(said)


def _linked(made_by: str) -> str:
    """Link each function that is named."""
    return re.sub(r"crmkit\.([\w.]+)(?:\(\))?", r"[`\1`][crmkit.\1]", made_by)


def glossary_page() -> str:
    """List every column of a contract or a result: one row for each meaning that it has."""
    promised = {
        column.name: column.meaning for table in contracts()[::-1] for column in table.columns
    }
    makers: dict[tuple[str, str], list[str]] = {}
    for path, function in public_functions():
        for name, meaning in _COLUMN_ROW.findall(inspect.getdoc(function) or ""):
            said = promised.get(name) or " ".join(meaning.split()).replace("|", "\\|")
            makers.setdefault((name, said), []).append(_linked(path))
    for table in contracts():
        for name in table.column_names:
            makers.setdefault((name, promised[name]), [_linked(table.made_by)])
    rows = [
        f"| `{name}` | {meaning} | {', '.join(makers[name, meaning])} |"
        for name, meaning in sorted(makers, key=lambda key: (key[0].lower(), key[1]))
    ]
    return "\n".join(
        [_GLOSSARY_INTRO, "| column | meaning | given by |", "| --- | --- | --- |", *rows, ""]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
