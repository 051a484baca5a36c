"""Find the columns of a table of contacts by their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit._intake.column_names import LEAST, fit_of
from crmkit._intake.column_words import NAMES
from crmkit._words.arguments import require_column_name
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from crmkit.tables import CONTACTS

_NAMES: Final[Mapping[str, str]] = {
    "answered": """
        answeredon answereddate answerdate answeredat answered resolvedat resolvedon resolved
        resolutiondate closedat closedon closed closedate replydate repliedat replied responsedate
        respondedat beantwortetam beantwortet antwortdatum erledigtam erledigt geschlossenam
        repondule datereponse dateresolution fecharespuesta fecharesolucion
        回复日期 回复时间 答复日期 处理日期 处理完成时间 结案日期 回覆日期 處理日期 結案日期
        回答日 対応日 完了日
    """,
    "date": f"""
        contactdate contactedon contactedat calldate visitdate ticketdate complaintdate claimdate
        openedat openedon receivedat receivedon reportedat kontaktdatum anrufdatum besuchsdatum
        beschwerdedatum datecontact datedecontact fechacontacto
        联系日期 联系时间 拜访日期 投诉日期 投诉时间 聯絡日期 聯繫日期 拜訪日期 投訴日期 接触日
        {NAMES["date"]}
    """,
    "complaint": """
        iscomplaint complaint complaintflag complaints isclaim claim complaintorclaim
        beschwerde reklamation istbeschwerde reclamation plainte queja reclamo reclamacion
        是否投诉 投诉 索赔 是否投訴 投訴 索賠 苦情 クレーム
    """,
    "channel": """
        channel contactchannel medium contactmedium via origin kanal kontaktkanal canal
        渠道 联系渠道 联系方式 管道 聯絡方式 チャネル
    """,
    "kind": """
        kind contactkind contacttype type category reason contactreason topic subject
        art kontaktart typ kategorie grund anlass typecontact motif categorie tipo motivo asunto
        联系类型 类型 类别 主题 原因 聯絡類型 類型 類別 主題 種別 種類 件名
    """,
    "owner": """
        owner contactowner agent agentname handledby assignedto assignee representative rep
        salesrep employee accountmanager betreuer bearbeiter mitarbeiter zustandig responsable
        conseiller agente responsable负责人 负责人 客户经理 客服 坐席 负责员工 負責人 客戶經理
        担当者 担当
    """,
    "customer": NAMES["customer"],
}
"""Names of each role; those that are taken first stand first."""

_OTHER_THINGS: Final[Mapping[str, str]] = {
    "customer": "name|type|segment|since|age|gender|city|state|country|zip|owner|channel|kind",
    "date": "birth|due|update|modif|answer|resolv|clos|repl|respon|zone|first|last",
    "complaint": "date|day|time|at$|on$|id$|no$|number|amount|kind|type|text|reason",
    "channel": "date|id$|partner|cost",
    "kind": "customer|client|date|id$|owner|account",
    "owner": "date|id$|time",
    "answered": "by$|count|number|birth",
}
"""What a name with a word of the role may mean instead."""


@dataclass(frozen=True, slots=True)
class ContactColumns:
    """Names of the raw columns by role, given or found."""

    customer: str
    date: str
    channel: str | None
    kind: str | None
    complaint: str | None
    owner: str | None
    answered: str | None
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Require names that the result has free."""
        canonical = [column for column in self.keep if column in CONTACTS.column_names]
        if canonical:
            msg = (
                f"`keep` has {frames.quoted(canonical)}, which contacts have by its own name.\n"
                "Rename the column, or name it by its role, such as owner=."
            )
            raise InvalidArgumentError(msg)

    @property
    def named(self) -> dict[str, str]:
        """The raw columns by role."""
        roles = ("customer", "date", "channel", "kind", "complaint", "owner", "answered")
        given = {role: getattr(self, role) for role in roles}
        found = {role: column for role, column in given.items() if column is not None}
        return found | {f"keep={name}": name for name in self.keep}


def contact_columns(
    raw: IntoFrame, given: Mapping[str, str | None], *, keep: tuple[str, ...] = ()
) -> ContactColumns:
    """Take the columns that are named, and find the others by their names.

    A column has one role. Roles with the most telling names choose first.
    """
    for role, column in given.items():
        if column is not None:
            require_column_name(column, argument=role)
    opened = frames.open_table(raw, CONTACTS, only=())
    names = [name for name in opened.collect_schema().names() if isinstance(name, str)]
    found = {role: column for role, column in given.items() if column is not None}
    for role, words in _NAMES.items():
        if role in found:
            continue
        free = [name for name in names if name not in (*found.values(), *keep)]
        known, not_of = words.split(), _OTHER_THINGS[role]
        best = max(free, key=lambda name: fit_of(name, known, not_of=not_of), default="")
        if best and fit_of(best, known, not_of=not_of) >= LEAST:
            found[role] = best
    missing = [role for role in ("customer", "date") if role not in found]
    if missing:
        msg = (
            f"contacts: no column looks like the {missing[0]} among {frames.quoted(names[:12])}.\n"
            f"Name it with {missing[0]}=."
        )
        raise MissingColumnsError(msg)
    return ContactColumns(**{role: found.get(role) for role in _NAMES}, keep=keep)  # type: ignore[arg-type] # the two that must be there are
