"""What a file is, by its content: its name may say something else."""

from __future__ import annotations

import mmap
import re
import zipfile
from pathlib import Path
from typing import Final, Literal, TypeAlias

from crmkit._door.files.text import encodings
from crmkit.errors import InvalidArgumentError

Kind: TypeAlias = Literal[
    "gzip", "zip", "workbook", "web page", "json", "parquet", "arrow", "sqlite", "duckdb", "text"
]

_HEAD: Final = 1 << 16
_MARKS: Final[tuple[tuple[int, bytes, Kind], ...]] = (
    (0, b"\x1f\x8b", "gzip"),
    (0, b"PAR1", "parquet"),
    (0, b"ARROW1", "arrow"),
    (0, b"SQLite format 3\0", "sqlite"),
    (8, b"DUCK", "duckdb"),
)

_STREAM: Final = b"\xff\xff\xff\xff"  # and a length of less than 16 MB

_SAVE: Final = "save its table as CSV or Excel"
_UNPACK: Final = "unpack it first"
_REFUSED: Final = (
    (b"%PDF", "a PDF", _SAVE),
    (b"\x89PNG", "an image", _SAVE),
    (b"\xff\xd8\xff", "an image", _SAVE),
    (b"GIF8", "an image", _SAVE),
    (b"II*\0", "an image", _SAVE),
    (b"MM\0*", "an image", _SAVE),
    (b"RIFF", "an image, a sound or a film", _SAVE),
    (b"{\\rtf", "a text document (RTF)", _SAVE),
    (b"7z\xbc\xaf\x27\x1c", "packed by 7-Zip", _UNPACK),
    (b"Rar!", "packed by RAR", _UNPACK),
    (b"BZh", "packed by bzip2", _UNPACK),
    (b"\xfd7zXZ", "packed by xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "packed by Zstandard", _UNPACK),
    (b"PARE", "an encrypted Parquet file", "save it without encryption"),
    (b"FEA1", "a Feather file of version 1", "save it as Parquet"),
    (b"ORC", "an ORC file", "save it as Parquet"),
    (b"Obj\x01", "an Avro file", "save it as Parquet"),
    (b"\x89HDF", "an HDF5 file", "save its table as Parquet or CSV"),
    (b"$FL", "an SPSS file", "save its table as CSV"),
    (b"<stata_dta>", "a Stata file", "save its table as CSV"),
    (b"\0\x01\0\0Standard", "an Access database", "export its table as CSV"),
    (b"RDX", "an R data file", "save its table as CSV"),
    (b"MZ", "a program", "name the file that holds the log"),
    (b"\x7fELF", "a program", "name the file that holds the log"),
)
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_IN_ZIP: Final = (
    ("word/", "a Word document"),
    ("ppt/", "a presentation"),
    ("Index/Document.iwa", "an Apple document"),
    ("META-INF/MANIFEST.MF", "a Java archive"),
)
_SPREADSHEET: Final = b"application/vnd.oasis.opendocument.spreadsheet"
_JSON: Final = re.compile(rb"\s*(?:\[\s*[\[{\]]|\{\s*[\"}])")
_WEB_PAGE: Final = re.compile(
    rb"\s*<(?:!doctype html|html|head|body|table|meta|style|div)", re.IGNORECASE
)
_XML: Final = re.compile(rb"\s*<(?:\?xml|[A-Za-z])")
_CONTROL: Final = bytes({*range(32)} - {*b"\t\n\r\x0b\x0c\x1a\x1b"})
_FEW: Final = 0.02


def kind_of(path: Path, *, name: str) -> Kind:
    """Tell what a file is; refuse what holds no table, in one sentence."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        msg = f"{name} is empty."
        raise InvalidArgumentError(msg)
    for at, mark, kind in _MARKS:
        if head.startswith(mark, at):
            return kind
    if head.startswith(_STREAM) and head.startswith(b"\0", len(_STREAM) + 3):
        return "arrow"
    for mark, what, advice in _REFUSED:
        if head.startswith(mark):
            raise _refused(name, what, advice)
    if head.startswith(b"PK"):
        return _in_zip(path, name)
    if head.startswith(_OLE):
        return _in_compound(path, name)
    return _text(head, name)


def _text(head: bytes, name: str) -> Kind:
    """Tell which text it is."""
    unicode = encodings.of_unicode(head)
    text = head.decode(unicode, errors="ignore").encode() if unicode else head
    plain = text.removeprefix(b"\xef\xbb\xbf")
    if _JSON.match(plain) is not None:
        return "json"
    if _WEB_PAGE.match(plain) or (_XML.match(plain) and b"<table" in plain.lower()):
        return "web page"
    if b"urn:schemas-microsoft-com:office:spreadsheet" in plain:
        raise _refused(name, "an Excel workbook of 2003 in XML", "save it as .xlsx")
    if plain.lstrip().startswith(b"<?xml"):
        raise _refused(name, "an XML file", _SAVE)
    if plain.lstrip().startswith(b"MIME-Version:"):
        raise _refused(name, "a web archive", "save it as .xlsx")
    n_control = len(plain) - len(plain.translate(None, _CONTROL))
    if n_control > _FEW * len(plain):
        msg = (
            f"{name} is not a table: it holds binary data; name the file that holds the log, as "
            "CSV, Excel, JSON, Parquet or SQLite."
        )
        raise InvalidArgumentError(msg)
    return "text"


def _in_zip(path: Path, name: str) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if "mimetype" in names:
                with archive.open("mimetype") as file:
                    mime = file.read(len(_SPREADSHEET) + 1).strip()
                if mime == _SPREADSHEET:
                    return "workbook"
                raise _refused(name, "a document that is not a spreadsheet", _SAVE)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OSError):
        raise _refused(name, "a damaged zip archive or workbook", "get it anew") from None
    if any(each.startswith("xl/") for each in names):
        return "workbook"
    for folder, what in _IN_ZIP:
        if any(each.startswith(folder) for each in names):
            raise _refused(name, what, _SAVE)
    return "zip"


def _in_compound(path: Path, name: str) -> Kind:
    """Tell files of Office before 2007 apart, which also wraps encrypted ones of today."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        streams = {
            stream
            for stream in ("EncryptedPackage", "Workbook", "Book", "WordDocument")
            if data.find(stream.encode("utf-16-le")) >= 0
        }
    if "EncryptedPackage" in streams:
        raise _refused(name, "protected by a password", "save it without one")
    if streams & {"Workbook", "Book"}:
        return "workbook"
    what = "a Word document" if "WordDocument" in streams else "an Office file without a workbook"
    raise _refused(name, what, _SAVE)


def _refused(name: str, what: str, advice: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{name} is {what}, which crmkit does not read; {advice}.")
