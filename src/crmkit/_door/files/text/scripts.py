"""Which encoding before Unicode spells a plausible text: Western, Chinese, Japanese, others.

Statistics of bytes mislead on the few names and headers of a log, so simple questions come
first: is there a word that headers are made of, are letters with accents beside letters, are the
characters of East Asia the common ones, and is it Korean? Only where the answers are not clear is
charset-normalizer asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from charset_normalizer import from_bytes

_SURE: Final = 0.95
_CLEAR: Final = 0.75
_MARGIN: Final = 0.1

_ACCENTED: Final = frozenset("äöüßÄÖÜéèêëÉÈÊËàâáãåæÀÂÁÃÅÆçÇîïíìÎÏÍÌôóòõøœÔÓÒÕØŒûúùÛÚÙñÑýÿŠšŽžðÐþÞ")
_SIGNS: Final = frozenset("€£¥°§©®™–—‘’“”„«»¡¿…·º²³½¼\xa0´")  # noqa: RUF001
_LONGEST_RUN: Final = 2

# First and second bytes of the common characters of an encoding, and of its signs.
_PAIR: Final = 2
_LEADS: Final[Mapping[str, tuple[frozenset[int], range]]] = {
    "gb18030": (frozenset((*range(0xB0, 0xD8), *range(0xA1, 0xA4))), range(0xA1, 0x100)),
    "big5": (frozenset((*range(0xA4, 0xC7), 0xA1)), range(0x40, 0x100)),
    "cp932": (frozenset((*range(0x81, 0x84), *range(0x88, 0x98))), range(0x40, 0x100)),
}
_HALF_WIDTH: Final = 0.3
_HANGUL_LEADS: Final = frozenset(range(0xB0, 0xC9))
_ENOUGH: Final = 8

# Words that the headers of logs are made of; one of them settles the language.
_HEADER_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "gb18030": (
        *("客户", "顾客", "会员", "订单", "日期", "时间", "金额", "价格", "数量", "产品", "商品"),
        *("编号", "姓名", "总额", "销售", "单价", "合计", "城市", "地区", "电话"),
    ),
    "big5": (
        *("客戶", "顧客", "會員", "訂單", "日期", "時間", "金額", "價格", "數量", "產品", "商品"),
        *("編號", "姓名", "總額", "銷售", "單價", "合計", "城市", "地區", "電話"),
    ),
    "cp932": (
        *("顧客", "会員", "注文", "日付", "日時", "金額", "価格", "数量", "商品", "番号", "名前"),
        *("氏名", "売上", "単価", "合計", "購入", "電話", "都道府県", "コード", "お客様"),
    ),
    "euc_jp": (
        *("顧客", "会員", "注文", "日付", "金額", "価格", "数量", "商品", "番号", "売上"),
        *("氏名", "購入", "コード"),
    ),
    "cp1250": ("částka", "příjmení", "množství", "město", "wartość", "ilość", "imię", "płatność"),
    "cp949": ("고객", "주문", "날짜", "일자", "금액", "가격", "수량", "상품", "번호", "이름"),
    "cp1251": (
        *("клиент", "заказ", "дата", "сумма", "цена", "количество", "товар", "номер", "имя"),
        *("покупатель", "город", "телефон"),
    ),
}
_OTHERS: Final = (
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp850"),
    *("mac_roman", "gb18030", "big5", "cp932", "euc_jp", "cp949"),
)


def legacy_encoding(sample: bytes) -> str:
    """Choose the encoding of lines that are not UTF-8."""
    by_words = {name: _words_in(sample, name) for name in _HEADER_WORDS}
    best = max(by_words, key=by_words.__getitem__)
    if by_words[best] > max(n for name, n in by_words.items() if name != best):
        return best
    if _western(sample) >= _SURE:
        return "cp1252"
    if _double_bytes(sample, "gb18030") >= _SURE:  # hardly by chance, unless it is Korean
        return "cp949" if _is_korean(sample) else "gb18030"
    scores = {name: _double_bytes(sample, name) for name in _LEADS}
    scores["cp1252"] = _western(sample)
    first, second = sorted(scores, key=scores.__getitem__, reverse=True)[:2]
    if scores[first] >= _CLEAR and scores[first] - scores[second] >= _MARGIN:
        return first
    found = from_bytes(sample, cp_isolation=list(_OTHERS)).best()
    return str(found.encoding) if found is not None else "cp1252"


def _words_in(sample: bytes, encoding: str) -> int:
    text = sample.decode(encoding, errors="replace").lower()
    return sum(word in text for word in _HEADER_WORDS[encoding])


def _western(sample: bytes) -> float:
    """Score text in cp1252: the share of characters beyond ASCII where Western words have them."""
    text = sample.decode("cp1252", errors="replace")
    n_right, n_all = 0, 0
    for match in re.finditer(r"[^\x00-\x7f]+", text):
        run = match[0]
        beside = text[max(match.start() - 1, 0) : match.start()] + text[match.end() :][:1]
        in_word = any(mark.isascii() and mark.isalpha() for mark in beside)
        is_short = len(run) <= _LONGEST_RUN or not any(mark in _ACCENTED for mark in run)
        n_all += len(run)
        n_right += sum(
            mark in _SIGNS or (mark in _ACCENTED and in_word and is_short) for mark in run
        )
    return n_right / max(n_all, 1)


def _double_bytes(sample: bytes, encoding: str) -> float:
    """Score an encoding of two bytes: the share of characters that are common in it."""
    beyond = [mark for mark in sample.decode(encoding, errors="replace") if not mark.isascii()]
    codes = [mark.encode(encoding) if mark != "\ufffd" else b"" for mark in beyond]
    leads, trails = _LEADS[encoding]
    n_common = sum(len(code) == _PAIR and code[0] in leads and code[1] in trails for code in codes)
    n_half_width = sum(len(code) == 1 for code in codes)  # katakana of Shift-JIS
    return (n_common + _HALF_WIDTH * n_half_width) / max(len(codes), 1)


def _is_korean(sample: bytes) -> bool:
    """Whether all of enough characters have first bytes of Hangul, as two in three of GB have."""
    marks = {mark for mark in sample.decode("gb18030", errors="replace") if not mark.isascii()}
    leads = {mark.encode("gb18030")[0] for mark in marks if mark != "\ufffd"}
    return len(marks) >= _ENOUGH and leads <= _HANGUL_LEADS
