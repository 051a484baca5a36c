"""Words in dates: names of months in four languages, weekdays, Chinese and Japanese units."""

from __future__ import annotations

from typing import Final

import narwhals as nw

_MONTHS: Final = {
    "Jan": "january januar jänner janvier enero jan jän janv ene",
    "Feb": "february februar février fevrier febrero feb févr fevr fév",
    "Mar": "march märz maerz mars marzo mar mär mrz",
    "Apr": "april avril abril apr avr abr",
    "May": "may mai mayo",
    "Jun": "june juni juin junio jun",
    "Jul": "july juli juillet julio jul juil",
    "Aug": "august août aout agosto aug aoû ago",
    "Sep": "september septembre septiembre setiembre sep sept set",
    "Oct": "october oktober octobre octubre oct okt",
    "Nov": "november novembre noviembre nov",
    "Dec": "december dezember décembre decembre diciembre dec dez déc dic",
}
_WEEKDAYS: Final = " ".join(
    (
        "monday tuesday wednesday thursday friday saturday sunday",
        "mon tue tues wed thu thur thurs fri sat sun",
        "montag dienstag mittwoch donnerstag freitag samstag",
        "sonnabend sonntag mo di mi do fr sa so",
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
        "lunes martes miércoles miercoles jueves viernes sábado sabado domingo",
    )
).split()
HAS_WORDS: Final = r"[A-Za-z]{3}|[^\x00-\x7F]"
"""Dates with names of months, or with signs beyond those of English keyboards."""

_REPLACEMENTS: Final = (
    ("[\xa0\u202f\u2009\u3000]", " "),
    *((chr(0xFF10 + digit), str(digit)) for digit in range(10)),
    ("[年月]", "-"),
    ("[日号號]", " "),
    ("[時时点點分]", ":"),
    ("秒", ""),
    (" +", " "),
    ("- ", "-"),
    (rf"(?i)^(?:{'|'.join(sorted(_WEEKDAYS, key=len, reverse=True))})[.,]* ", ""),
    ("(?i) (?:de|del|of) ", " "),
    *(
        (f"(?i)(?:{'|'.join(sorted(names.split(), key=len, reverse=True))})[.]?", month)
        for month, names in _MONTHS.items()
    ),
    ("(?i)(?:st|nd|rd|th|er|º)(?:,| |$)", " "),
    (" +", " "),
)


def in_plain_words(text: nw.Expr) -> nw.Expr:
    """Write months as Jan to Dec, without weekdays and ordinals, and 2022年1月5日 as 2022-1-5."""
    for pattern, plain in _REPLACEMENTS:
        text = text.str.replace_all(pattern, plain)
    return text.str.strip_chars(" :")
