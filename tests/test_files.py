"""Tables go to files that no spreadsheet runs."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from crmkit._door import files


def test_formulas_in_text_are_disarmed(tmp_path: Path) -> None:
    cells = ["=cmd()", "+1", "-1", "@x", "\tx", "\rx", "fine", "a=b", None]
    table = pl.DataFrame({"=id": cells, "amount": [-1.0] * 9})
    files.write_table(table, tmp_path / "out")
    written = (tmp_path / "out.csv").read_text().split("\n")
    assert written[0] == "'=id,amount"
    safe = files.safe_for_spreadsheets(table)
    assert safe["'=id"].to_list() == [
        "'=cmd()",
        "'+1",
        "'-1",
        "'@x",
        "'\tx",
        "'\rx",
        "fine",
        "a=b",
        None,
    ]
    assert safe["amount"].to_list() == [-1.0] * 9
    assert pl.read_parquet(tmp_path / "out.parquet").equals(table)
