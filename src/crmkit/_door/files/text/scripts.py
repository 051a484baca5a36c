"""Which encoding before Unicode spells a plausible text: Western, Chinese, Japanese, others.

Statistics of bytes mislead on the few names and headers of a log, so four simple questions come
first: are letters with accents beside letters, and are the characters of East Asia the common
ones? Only where the answers are not clear is charset-normalizer asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from charset_normalizer import from_bytes

_CLEAR: Final = 0.75
_MARGIN: Final = 0.1

_ACCENTED: Final = frozenset("äöüßÄÖÜéèêëÉÈÊËàâáãåæÀÂÁÃÅÆçÇîïíìÎÏÍÌôóòõøœÔÓÒÕØŒûúùÛÚÙñÑýÿŠšŽžðÐþÞ")
_SIGNS: Final = frozenset("€£¥°§©®™–—‘’“”„«»¡¿…·º²³½¼\xa0´")  # noqa: RUF001
_LONGEST_RUN: Final = 2

# First bytes of the common characters of an encoding, and of its signs.
_GB_LEADS: Final = frozenset((*range(0xB0, 0xD8), *range(0xA1, 0xA4)))
_GB_TRAILS: Final = range(0xA1, 0x100)
_BIG5_LEADS: Final = frozenset((*range(0xA4, 0xC7), 0xA1))
_JIS_LEADS: Final = frozenset((*range(0x81, 0x84), *range(0x88, 0x98)))

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
    "euc_kr": ("고객", "주문", "날짜", "일자", "금액", "가격", "수량", "상품", "번호", "이름"),
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
    if by_words[best] > max([0, *(n for name, n in by_words.items() if name != best)]):
        return best
    scores = {name: score(sample) for name, score in _SCORES.items()}
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


def _double_bytes(
    encoding: str, is_common: Callable[[bytes], bool], *, single: float = 0.0
) -> Callable[[bytes], float]:
    """Score an encoding of two bytes by the share of its common characters."""

    def score(sample: bytes) -> float:
        text = sample.decode(encoding, errors="replace")
        beyond = [mark for mark in text if not mark.isascii()]
        total = 0.0
        for mark in beyond:
            code = mark.encode(encoding, errors="replace") if mark != "\ufffd" else b""
            total += is_common(code) if len(code) == _LONGEST_RUN else single * (len(code) == 1)
        return total / max(len(beyond), 1)

    return score


def _is_common_chinese(code: bytes) -> bool:
    """Whether a character is in the first level of GB 2312, or a sign of it."""
    return code[0] in _GB_LEADS and code[1] in _GB_TRAILS


def _is_common_traditional(code: bytes) -> bool:
    """Whether a character is in the first level of Big5, or a sign of it."""
    return code[0] in _BIG5_LEADS


def _is_common_japanese(code: bytes) -> bool:
    """Whether a character is kana, in the first level of JIS, or a sign of it."""
    return code[0] in _JIS_LEADS


_SCORES: Final[Mapping[str, Callable[[bytes], float]]] = {
    "cp1252": _western,
    "gb18030": _double_bytes("gb18030", _is_common_chinese),
    "big5": _double_bytes("big5", _is_common_traditional),
    "cp932": _double_bytes("cp932", _is_common_japanese, single=0.3),
}
