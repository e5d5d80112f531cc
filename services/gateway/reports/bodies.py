"""Bodies of reports and schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr

from services.gateway.edge.reading.json_body import StrictModel

Text = StrictStr
Format = Literal["csv", "json", "jsonl", "xlsx", "pdf", "parquet"]
Status = Literal["queued", "running", "done", "failed"]
# Dimension -> values, any of which will do.
Filters = dict[Text, list[Text]]


class CsvBody(StrictModel):
    """How a CSV is written. A Russian Excel reads `{"separator": ";", "decimal": ",", "bom": true}`."""

    separator: Literal[",", ";", "\t"] = ","
    decimal: Literal[".", ","] = "."
    bom: StrictBool = Field(False, description="The file begins with U+FEFF, by which Excel knows UTF-8.")
    header: Literal["names", "titles"] = Field("names", description="`titles` are for people, in `lang`.")


class WishesBody(StrictModel):
    """What a report is to be."""

    format: Format
    report: Literal["summary", "requests"] = Field(
        "summary", description="Sums by model, provider, key and day; or a row a request."
    )
    tz: Text = Field("", max_length=64, description="IANA name of a time zone; without it: the account's.")
    lang: Literal["ru", "en"] = "ru"
    filters: Filters = Field({}, max_length=16, description='As {"model": ["yandexgpt"], "status": ["failed"]}.')
    csv: CsvBody = CsvBody()


class ReportOrder(WishesBody):
    """A report of one period: `period`, or `from` and `to`."""

    model_config = ConfigDict(populate_by_name=True)

    period: Text = Field("", max_length=16, description="`today`, `7d`, `30d` (without any), `90d`, `month`, `all`.")
    since: Text = Field("", alias="from", max_length=40, description="A date of the zone, or a moment.")
    until: Text = Field("", alias="to", max_length=40, description="The end, itself excluded; without it: now.")


class ScheduleOrder(WishesBody):
    """Reports of the last whole day, week (on Monday) or month (on the first), again and again."""

    every: Literal["day", "week", "month"]
    at: Text = Field("09:00", max_length=5, description="Of the clock in `tz`.")
    when_empty: Literal["skip", "report"] = Field("skip", description="What about a period without requests.")
    paused: StrictBool = Field(False, description="No report comes; none that was missed when it goes on.")


class ReportBody(BaseModel):
    """A report. `url` opens it without a credential until `url_expires_at`; each look at it makes a fresh one."""

    id: str
    object: Literal["report"] = "report"
    status: Status
    progress: float = Field(description="From 0 to 1.")
    format: str
    report: str
    since: datetime = Field(serialization_alias="from")
    until: datetime = Field(serialization_alias="to")
    tz: str
    lang: str
    filters: dict[str, list[str]]
    rows: int = Field(description="Requests that it is about; 0 until they are counted.")
    size_bytes: int | None
    sha256: str | None
    file_name: str
    url: str | None
    url_expires_at: datetime | None
    error: str | None
    schedule_id: str | None
    snapshot_at: datetime | None = Field(description="The moment whose rows it shows.")
    created_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None = Field(description="When it is deleted.")


class ReportList(BaseModel):
    """The reports that are kept, newest first."""

    data: list[ReportBody]


class ScheduleBody(BaseModel):
    """A schedule."""

    id: str
    object: Literal["report_schedule"] = "report_schedule"
    every: str
    at: str
    when_empty: str
    format: str
    report: str
    tz: str
    lang: str
    filters: dict[str, list[str]]
    csv: CsvBody
    paused: bool
    next_at: datetime | None
    created_at: datetime | None
    made_by: str | None


class ScheduleList(BaseModel):
    """The schedules, oldest first."""

    data: list[ScheduleBody]


class DeletedReportBody(BaseModel):
    """What is no more."""

    id: str
    object: str
    deleted: bool = True
