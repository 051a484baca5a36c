"""Segment maps as tables: print, edit, and check for gaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, cast

import narwhals as nw
from narwhals.typing import EagerAllowed, IntoFrame

from crmkit._door import frames
from crmkit._rfm.breakpoints import MOST_SCORES, require_n
from crmkit._rfm.built_in_maps import BEST_SCORE, KNOWN_MAPS, SegmentRule, code_rule
from crmkit._words.arguments import require_backend, require_choice
from crmkit.errors import InvalidRowsError
from crmkit.tables import SEGMENT_CODES, SEGMENT_RANGES
from crmkit.typing import Backend

MapName: TypeAlias = Literal["rf_ranks", "codes_125", "rf_25", "r_vignette", "r_putler"]
Rules: TypeAlias = Sequence[SegmentRule]

OTHERS: Final = "Others"
"""The segment of customers whose code is in none of the rows."""


def segment_map(name: MapName, *, backend: Backend = "pandas") -> Any:  # noqa: ANN401 - native to `backend`
    """Built-in map of RFM scores to segments, as a table to edit.

    The maps are for scores from 1 to 5, which rank customers among one another. Apart from
    `rf_ranks`, they have names that sound like findings about a customer ("Lost", "New Customers")
    and are conventions: a fifth of the customers has the lowest recency score whether they are lost
    or not. Look at the codes of a segment before you act on the word; `crmkit.lifecycle` has
    stages.

    Parameters
    ----------
    name
        `rf_ranks` names nine groups of r_score and f_score for what they are: "Frequent",
        "Medium frequency" or "Infrequent" for an f_score of 4 to 5, 3, and 1 to 2, and "most
        recent", "less recent" or "least recent" for the r_score likewise; amounts are left to
        `crmkit.tiers`. `codes_125` names each of the 125
        codes once. `rf_25` names the 25 cells of r_score and f_score. `r_vignette` and `r_putler`
        come with the R package rfm and are here to reproduce its tables: the first leaves 10 codes
        without a segment, the second 36, and three segments of the second can never occur (see
        `check_map`).
    backend
        The library of the table: "pandas", "polars" or "pyarrow".

    Returns
    -------
    `codes_125`: one row per code, with ``rfm_code`` and ``segment``, both text. The others: one
    row per rule, with ``segment`` and its lowest and highest scores: ``r_min, r_max, f_min,
    f_max`` and, except in `rf_25`, ``m_min, m_max``. The first rule that fits decides.

    Raises
    ------
    InvalidArgumentError
        If `name` or `backend` is not among the choices.

    References
    ----------
    https://github.com/rsquaredacademy/rfm (version 0.3.0) for `r_vignette` and `r_putler`. The
    maps `codes_125` and `rf_25` have no single origin; many public analyses use them.

    Examples
    --------
    >>> print(segment_map("rf_25").head(3).to_string(index=False))
        segment  r_min  r_max  f_min  f_max
    hibernating      1      2      1      2
        at_risk      1      2      3      4
      cant_lose      1      2      5      5
    """
    rules = _known(name, argument="name")
    require_backend(backend)
    columns: dict[str, list[Any]] = {"segment": [rule.segment for rule in rules]}
    if all(rule.is_code for rule in rules):
        columns = {"rfm_code": [rule.codes(n=BEST_SCORE)[0] for rule in rules], **columns}
    else:
        for i, measure in enumerate("rfm"[: len(rules[0].ranges)]):
            columns[f"{measure}_min"] = [rule.ranges[i][0] for rule in rules]
            columns[f"{measure}_max"] = [rule.ranges[i][1] for rule in rules]
    return frames.new_table(columns, backend=backend)


def check_map(segments: MapName | IntoFrame, *, n: int = 5) -> Any:  # noqa: ANN401 - native to the map's library
    """List the gaps and overlaps of a segment map.

    Parameters
    ----------
    segments
        The name of a built-in map, or a table in either form of `segment_map`.
    n
        The best score that customers can have, from 2 to 9.

    Returns
    -------
    One row per finding, so none for a map that names each code once. A pandas table for a
    built-in map, else a table of the map's library:

    ============  ====  ===============================================================
    ``problem``   text  "not covered", "covered twice" or "cannot occur"
    ``rfm_code``  text  the code, of two digits where the map ignores amounts; null for a
                        segment that cannot occur
    ``segment``   text  the segment that customers with the code get, or that nobody gets
    ``detail``    text  why
    ============  ====  ===============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError, InvalidArgumentError
        If the map breaks its contract, or `n` is out of range.

    Notes
    -----
    Among rules, an overlap may be intended: the last rule can be for all the rest. In a map of
    codes it is a mistake, and `segment` refuses it.

    Examples
    --------
    >>> import pandas as pd
    >>> rules = pd.DataFrame({"segment": ["good", "fair", "best"], "r_min": [2, 1, 2]})
    >>> rules = rules.assign(r_max=2, f_min=[1, 2, 2], f_max=2)
    >>> findings = check_map(rules, n=2)
    >>> print(findings[["problem", "rfm_code", "segment"]].to_string(index=False))
          problem rfm_code segment
      not covered       11  Others
    covered twice       22    good
     cannot occur      NaN    best
    """
    require_n(n)
    names = ("problem", "rfm_code", "segment", "detail")
    findings = list(_findings(read_rules(segments), n=n))
    columns = {name: [finding[i] for finding in findings] for i, name in enumerate(names)}
    if not isinstance(segments, str) and frames.is_lazy(segments):
        plan = frames.table_like(columns, like=frames.reopen(segments))
        typed = plan.with_columns(nw.col(name).cast(nw.String) for name in names)
        return frames.give(typed, like=segments)
    backend = _backend(segments)
    # In a column of type text, pandas 2 turns None into text too.
    untyped = findings and backend in ("pandas", nw.Implementation.PANDAS)
    schema = None if untyped else dict.fromkeys(names, nw.String())
    return nw.from_dict(columns, schema=schema, backend=backend).to_native()


def read_rules(segments: MapName | IntoFrame, *, each_code_once: bool = False) -> Rules:
    """Read a map, given by name or as a table, as rules in its order."""
    if isinstance(segments, str):
        return _known(segments, argument="segments")
    names = frames.open_table(segments, SEGMENT_RANGES).collect_schema().names()
    if "rfm_code" in names:
        rows = frames.read(segments, SEGMENT_CODES).select(*SEGMENT_CODES.column_names).collect()
        rules = [_code_rule(row, code, name) for row, (code, name) in enumerate(rows.rows())]
        if each_code_once:
            _require_each_code_once(rules)
        return rules
    measures = "rfm" if {"m_min", "m_max"} & set(names) else "rf"
    bounds = [f"{measure}_{end}" for measure in measures for end in ("min", "max")]
    contract = SEGMENT_RANGES.only("segment", *bounds)
    rows = frames.read(segments, contract).select("segment", *bounds).collect()
    return [SegmentRule(segment, tuple(_ranges(scores))) for segment, *scores in rows.rows()]


def matches(rules: Rules, *, n: int) -> Mapping[str, list[str]]:
    """List the segments of all rows that cover each possible code, in order."""
    n_scores = len(rules[0].ranges) if rules else 3
    found: dict[str, list[str]] = {
        code: [] for code in SegmentRule(OTHERS, ((1, n),) * n_scores).codes(n=n)
    }
    for rule in rules:
        for code in rule.codes(n=n):
            found[code].append(rule.segment)
    return found


def _findings(rules: Rules, *, n: int) -> Iterator[tuple[str, str | None, str, str]]:
    found = matches(rules, n=n)
    for code, segments in found.items():
        if not segments:
            yield "not covered", code, OTHERS, "no row covers it"
    for code, (first, *further) in ((code, names) for code, names in found.items() if names):
        if further:
            yield "covered twice", code, first, f"also in {', '.join(further)}, further down"
    occur = {segments[0] for segments in found.values() if segments}
    for rule in {rule.segment: rule for rule in rules if rule.segment not in occur}.values():
        codes = rule.codes(n=n)
        why = "earlier rows cover all its codes" if codes else f"no code of scores 1 to {n}"
        yield "cannot occur", None, rule.segment, why


def _backend(segments: str | IntoFrame) -> EagerAllowed:
    if isinstance(segments, str):
        return "pandas"
    return cast("EagerAllowed", frames.open_table(segments, SEGMENT_RANGES).implementation)


def _known(name: str, *, argument: str) -> Rules:
    require_choice(name, KNOWN_MAPS, argument=argument)
    return KNOWN_MAPS[name]


def _code_rule(row: int, code: object, segment: str) -> SegmentRule:
    digits = str(code)  # a file reader may have made 535 a number
    if len(digits) != 3 or not set(digits) <= set("123456789"):  # noqa: PLR2004 - r, f and m
        msg = (
            f"segment map: `rfm_code` {digits!r} is not three digits from 1 to 9 (row {row}).\n"
            "Write the scores side by side, such as 535."
        )
        raise InvalidRowsError(msg, n_rows=1, examples=(row,))
    return code_rule(digits, segment)


def _require_each_code_once(rules: Rules) -> None:
    codes = [rule.codes(n=MOST_SCORES)[0] for rule in rules]
    twice = [code for code, times in Counter(codes).items() if times > 1]
    if twice:
        n_rows = sum(code in twice for code in codes)
        msg = (
            f"segment map: `rfm_code` is repeated in {n_rows:,} of {len(codes):,} rows "
            f"(rfm_code {', '.join(map(repr, twice[:3]))}).\n"
            "Keep one segment for each code; crmkit.rfm.check_map() lists all overlaps."
        )
        raise InvalidRowsError(msg, n_rows=n_rows, examples=tuple(twice[:3]))


def _ranges(scores: Sequence[float]) -> Iterator[tuple[int, int]]:
    for low, high in zip(scores[::2], scores[1::2], strict=True):
        yield int(low), int(high)
