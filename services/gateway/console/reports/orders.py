"""What the forms of reports say, as the API has it."""

from __future__ import annotations

from typing import Any, Final

from services.gateway.console.forms.draft import Draft, draft_of

FORMATS: Final = ("xlsx", "pdf", "csv", "json", "jsonl", "parquet")
KINDS: Final = ("summary", "requests")
RHYTHMS: Final = ("day", "week", "month")
FIELDS: Final = ("format", "report", "period", "from", "to", "every", "at", "when_empty")
# What a schedule says, all of which replaces it.
SCHEDULE: Final = ("format", "report", "tz", "lang", "filters", "csv", "every", "at", "when_empty")
# How a Russian Excel reads a CSV.
EXCEL: Final = {"separator": ";", "decimal": ",", "bom": True, "header": "titles"}


def blank(language: str) -> Draft:
    """Return the form for a report of thirty days, for a spreadsheet."""
    return draft_of(format="xlsx", report="summary", period="30d", language=language, every="month", at="09:00")


def new_report(draft: Draft) -> dict[str, Any]:
    """Return the order of a report."""
    dates = {name: draft.one(name) for name in ("from", "to") if draft.one(name)}
    # Dates of one's own come before the list of periods, which always says something.
    return {**_wishes(draft), **(dates or {"period": draft.one("period")})}


def new_schedule(draft: Draft) -> dict[str, Any]:
    """Return the order of a schedule."""
    when_empty = "report" if draft.one("when_empty") else "skip"
    return {**_wishes(draft), "every": draft.one("every"), "at": draft.one("at"), "when_empty": when_empty}


def _wishes(draft: Draft) -> dict[str, Any]:
    form = draft.one("format")
    csv = {"csv": EXCEL} if form == "csv" and draft.one("excel") else {}
    return {"format": form, "report": draft.one("report"), "lang": draft.one("language"), **csv}
