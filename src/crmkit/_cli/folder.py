"""The folder that the command writes: it removes what it wrote there before, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from crmkit import pipeline
from crmkit._door import files

if TYPE_CHECKING:
    import polars as pl

_LIST: Final = "written_by_crmkit.txt"


def write(
    folder: Path,
    result: pipeline.Result[Any],
    tables: dict[str, pl.DataFrame],
    *,
    ledger: pl.DataFrame | None,
    page: str,
) -> list[Path]:
    """Write the customers, the tables behind them, the fitted values and the report."""
    _remove_what_was_written(folder)
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, table in {**result.frames(), **tables}.items():
        stem = (folder if name == "customers" else folder / "tables") / name
        files.write_table(table, stem)
        written += [stem.with_suffix(".parquet"), stem.with_suffix(".csv")]
    if ledger is not None:
        path = folder / "tables" / "orders.parquet"
        ledger.write_parquet(path)
        written.append(path)
    if result.kept.about is not None:
        written += result.kept.save(folder / "kept")
    report = folder / "report.html"
    report.write_text(page, encoding="utf-8")
    written.append(report)
    _note(folder, written)
    return written


def _remove_what_was_written(folder: Path) -> None:
    listed = folder / _LIST
    if not listed.is_file():
        return
    inside = folder.resolve()
    for line in listed.read_text(encoding="utf-8").splitlines():
        path = (folder / line).resolve()
        if path.is_relative_to(inside) and path.is_file():
            path.unlink()
    listed.unlink()


def _note(folder: Path, written: Iterable[Path]) -> None:
    names = sorted(path.relative_to(folder).as_posix() for path in written)
    (folder / _LIST).write_text("\n".join(names) + "\n", encoding="utf-8")
