"""The encoding of a text file: said, marked, proved by its bytes, or the most plausible one."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crmkit._door.files.text.scripts import legacy_encoding
from crmkit._words.arguments import shown
from crmkit.errors import InvalidArgumentError

HEAD: Final = 1 << 20
UTF_8: Final = "utf-8"

_BLOCK: Final = 1 << 22
_SAMPLE: Final = 1 << 16
_MARKS: Final = (
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_ALIASES: Final = {
    "ascii": UTF_8,
    "utf-8-sig": UTF_8,
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "shift_jis": "cp932",
    "iso8859-1": "cp1252",
}
"""Encodings read as the one that has all their characters, and those that users add to them."""

_FEW: Final = 0.1
_NULS: Final = 0.1


def of_name(encoding: str) -> str:
    """Give Python's name of an encoding that the user named."""
    try:
        name = codecs.lookup(encoding).name
        "a".encode(name)
    except (LookupError, TypeError, ValueError, AttributeError):
        msg = (
            f"`encoding` must be the name of an encoding, got {shown(encoding)}.\n"
            'Write "utf-8", "cp1252", "gb18030", "big5", "shift_jis" or another that Python knows.'
        )
        raise InvalidArgumentError(msg) from None
    return _ALIASES.get(name, name)


def of_head(head: bytes) -> str:
    """Find the encoding by the beginning of a file: UTF-8 unless its bytes speak against it."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if b"\0" in head:
        return _by_nuls(head) or UTF_8
    lines = head.splitlines(keepends=True)
    if len(head) >= HEAD:  # the last line may be cut
        lines = lines[:-1]
    return _of_lines(lines)


def of_unicode(head: bytes) -> str:
    """Find UTF-16 and UTF-32, by mark or without; nothing where it is neither."""
    found = of_head(head) if head.startswith(_WIDE_MARKS) or b"\0" in head else ""
    return "" if found == UTF_8 else found


def of_whole(path: Path) -> str:
    """Find the encoding by all lines of a file that starts like UTF-8."""
    return _of_lines(_lines_beyond_ascii(path))


def transcode(source: Path, target: Path, *, encoding: str) -> None:
    """Write a file in UTF-8; what does not read stays as bytes that are not UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)(errors=_KEEP)
    with source.open("rb") as file, target.open("wb") as out:
        while block := file.read(_BLOCK):
            out.write(decoder.decode(block).encode(UTF_8, errors="surrogateescape"))
        out.write(decoder.decode(b"", final=True).encode(UTF_8, errors="surrogateescape"))


def _lines_beyond_ascii(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            block += b"" if block.endswith(b"\n") else file.readline(_BLOCK)
            if not block.isascii():
                yield from block.splitlines(keepends=True)


def _keep(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


_KEEP: Final = "crmkit-keep"
codecs.register_error(_KEEP, _keep)


def _of_lines(lines: Iterator[bytes] | list[bytes]) -> str:
    """UTF-8 if nine in ten of the lines beyond ASCII are; otherwise by what they would spell."""
    n_right, n_wrong = 0, 0
    sample: dict[bytes, None] = {}
    size = 0
    for line in lines:
        if line.isascii():
            continue
        if _is_utf_8(line):
            n_right += 1
            continue
        n_wrong += 1
        if size < _SAMPLE and line not in sample:
            sample[line] = None
            size += len(line)
    if n_wrong <= _FEW * (n_right + n_wrong):
        return UTF_8
    return legacy_encoding(b"".join(sample))


def _is_utf_8(line: bytes) -> bool:
    try:
        line.decode(UTF_8)
    except UnicodeDecodeError:
        return False
    return True


def _by_nuls(head: bytes) -> str:
    """Find UTF-16 without a mark: ASCII in it has a NUL at every other byte."""
    even, odd = head[::2], head[1::2]
    n_even, n_odd = even.count(0), odd.count(0)
    half = max(len(head) // 2, 1)
    for name, n_nuls, n_others in (("utf-16-le", n_odd, n_even), ("utf-16-be", n_even, n_odd)):
        if n_nuls > _NULS * half and n_others < n_nuls / 50:
            text = head[: len(head) // 2 * 2].decode(name, errors="ignore")
            if "\0" not in text and "\n" in text.replace("\r", "\n"):
                return name
    return ""
