"""Files of offices, written byte by byte, so that no library writes what another is to read."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

Rows = Sequence[Sequence[Any]]

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OPEN = "urn:oasis:names:tc:opendocument:xmlns"
_SECTOR = 512
_FREE, _END, _TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def xlsx(path: Path, sheets: Mapping[str, Rows]) -> Path:
    """Write a workbook. A formula is a pair of its text and its cached value."""
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": _relations({"r1": ("officeDocument", "xl/workbook.xml")}),
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>'
        + "".join(
            f'<sheet name="{escape(name)}" sheetId="{number}" r:id="r{number}"/>'
            for number, name in enumerate(sheets, start=1)
        )
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": _relations(
            {
                **{
                    f"r{number}": ("worksheet", f"worksheets/sheet{number}.xml")
                    for number in range(1, len(sheets) + 1)
                },
                "styles": ("styles", "styles.xml"),
            }
        ),
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><cellXfs count="2"><xf numFmtId="0"/>'
        '<xf numFmtId="14"/></cellXfs></styleSheet>',
    }
    for number, rows in enumerate(sheets.values(), start=1):
        body = "".join(
            f'<row r="{line}">{"".join(_cell(v, line, at) for at, v in enumerate(row))}</row>'
            for line, row in enumerate(rows, start=1)
        )
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{_MAIN}"><sheetData>{body}</sheetData></worksheet>'
        )
    return _zip(path, parts)


def xlsx_of_far_cells(path: Path) -> Path:
    """Write a workbook of two cells, as far apart as can be."""
    xlsx(path, {"far": [["id"]]})
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = parts[sheet].replace("</sheetData>", far)
    return _zip(path, parts)


def ods(path: Path, sheets: Mapping[str, Rows]) -> Path:
    """Write a spreadsheet of OpenDocument."""
    names = "".join(f' xmlns:{part}="{_OPEN}:{part}:1.0"' for part in ("office", "table", "text"))
    tables = "".join(
        f'<table:table table:name="{escape(name)}">'
        + "".join(
            f"<table:table-row>{''.join(map(_open_cell, row))}</table:table-row>" for row in rows
        )
        + "</table:table>"
        for name, rows in sheets.items()
    )
    return _zip(
        path,
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": f'<manifest xmlns="{_OPEN}:manifest:1.0"/>',
            "content.xml": f"<office:document-content{names}><office:body><office:spreadsheet>"
            f"{tables}</office:spreadsheet></office:body></office:document-content>",
        },
    )


def xls(path: Path, sheet: str, rows: Rows) -> Path:
    """Write a workbook as Excel did from 1997 to 2003 (BIFF8): texts and numbers."""
    begin = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0))
    page = _record(0x0042, struct.pack("<H", 1200))
    end = _record(0x000A, b"")
    name = struct.pack("<BB", len(sheet), 0) + sheet.encode("latin-1")
    at = len(begin) + len(page) + 4 + 6 + len(name) + len(end)
    bound = _record(0x0085, struct.pack("<IBB", at, 0, 0) + name)
    cells = b"".join(
        _record(0x0203, struct.pack("<HHHd", line, column, 0, value))
        if isinstance(value, (int, float))
        else _record(
            0x0204,
            struct.pack("<HHHHB", line, column, 0, len(value), 1) + value.encode("utf-16-le"),
        )
        for line, row in enumerate(rows)
        for column, value in enumerate(row)
        if value is not None
    )
    sheet_begin = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0))
    stream = begin + page + bound + end + sheet_begin + cells + end
    return compound(path, "Workbook", stream)


def compound(path: Path, name: str, stream: bytes) -> Path:
    """Write a compound file of one stream, as old Office files and encrypted new ones are."""
    stream = stream.ljust(4096, b"\0")
    n_sectors = -(-len(stream) // _SECTOR)
    chain = [*range(3, n_sectors + 2), _END]
    table = struct.pack(f"<{2 + n_sectors}I", _TABLE, _END, *chain)
    header = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + bytes(16)
        + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
        + bytes(6)
        + struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, _END, 0, _END, 0)
        + struct.pack("<I", 0)
    )
    folder = _entry("Root Entry", 5, child=1, start=_END, size=0)
    folder += _entry(name, 2, child=_FREE, start=2, size=len(stream))
    path.write_bytes(
        header.ljust(_SECTOR, b"\xff")
        + table.ljust(_SECTOR, b"\xff")
        + folder.ljust(_SECTOR, b"\0")
        + stream.ljust(n_sectors * _SECTOR, b"\0")
    )
    return path


def _entry(name: str, kind: int, *, child: int, start: int, size: int) -> bytes:
    text = name.encode("utf-16-le")
    return (
        text.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(text) + 2, kind, 1, _FREE, _FREE, child)
        + bytes(36)
        + struct.pack("<IQ", start, size)
    )


def _record(kind: int, data: bytes) -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def _cell(value: Any, line: int, column: int) -> str:
    place = f"{chr(ord('A') + column)}{line}"
    match value:
        case None:
            return ""
        case (formula, cached):
            return f'<c r="{place}"><f>{escape(formula)}</f><v>{cached}</v></c>'
        case date():
            return f'<c r="{place}" s="1"><v>{(value - date(1899, 12, 30)).days}</v></c>'
        case int() | float():
            return f'<c r="{place}"><v>{value}</v></c>'
        case "#N/A":
            return f'<c r="{place}" t="e"><v>#N/A</v></c>'
        case _:
            return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'


def _open_cell(value: Any) -> str:
    kind, attribute = "string", ""
    if isinstance(value, date):
        kind, attribute = "date", f' office:date-value="{value}"'
    elif isinstance(value, (int, float)):
        kind, attribute = "float", f' office:value="{value}"'
    elif value is None:
        return "<table:table-cell/>"
    text = f"<text:p>{escape(str(value))}</text:p>"
    return f'<table:table-cell office:value-type="{kind}"{attribute}>{text}</table:table-cell>'


def _relations(targets: Mapping[str, tuple[str, str]]) -> str:
    each = "".join(
        f'<Relationship Id="{name}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for name, (kind, target) in targets.items()
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{each}</Relationships>'


def _zip(path: Path, parts: Mapping[str, str]) -> Path:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    path.write_bytes(packed.getvalue())
    return path
