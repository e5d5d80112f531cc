"""The one grammar of questions to usage: period, zone, buckets, groups, filters; whose, page, size."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field

from servicekit.errors import ErrorReason, InvalidRequest, PermissionDenied, invalid_parameter
from services.gateway.clients.caller import Caller
from services.gateway.clients.usage_statistics.values import Filters, Period, Question, Whose
from services.gateway.identity.access import Scope

EVERYBODY: Final = "*"
PERIODS: Final = ("today", "7d", "30d", "90d", "month", "all")
BUCKETS: Final = ("hour", "day", "week", "month")
DIMENSIONS: Final = ("provider", "model", "version", "key", "app", "status", "endpoint", "error", "tag")
ADMIN_DIMENSION: Final = "user"
DEFAULT_PERIOD: Final = "30d"
# No row is older: the move from release 1.0 takes times before for slips of the pen.
BEGINNING: Final = datetime(2015, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)
MAX_TOP: Final = 100

Texts = Annotated[list[str], Field(default_factory=list)]


class PeriodParams(BaseModel):
    """When, and whose."""

    model_config = ConfigDict(populate_by_name=True)

    period: str = Field(
        "", description="`today`, `7d`, `30d` (also without any), `90d`, `month` or `all`; or `from` and `to`."
    )
    since: str = Field("", alias="from", description="A date of the zone, or a moment with its offset.")
    until: str = Field("", alias="to", description="The end, itself excluded; without it: now.")
    tz: str = Field("", description="IANA name of a time zone; without it: the account's.")
    user_id: str = Field("", description="Administrators: a user, or `*` for everybody.")


class FilterParams(PeriodParams):
    """Which; each may be given more than once, and `model=a,b` is not a list: a value may have a comma."""

    provider: Texts
    model: Texts = Field(default_factory=list, description="The family: `yandexgpt`.")
    version: Texts = Field(default_factory=list, description="The model with its version: `yandexgpt:latest`.")
    key: Texts
    app: Texts
    status: Texts = Field(default_factory=list, description="`completed`, `interrupted` or `failed`.")
    endpoint: Texts
    error: Texts = Field(default_factory=list, description="An error's code.")
    tag: Texts = Field(default_factory=list, description="`name=value` of the `metadata` of a request.")


class GroupParams(FilterParams):
    """Grouped by what."""

    group_by: Texts = Field(default_factory=list, description=f"At most two of {', '.join(DIMENSIONS)}.")
    top: int = Field(0, ge=0, le=MAX_TOP, description="So many groups by cost, the others as one; 0: all.")


class BucketParams(GroupParams):
    """In which buckets."""

    bucket: str = Field("", description="`hour`, `day`, `week` or `month`; without it: what suits the period.")
    durations: bool = Field(False, description="Also the durations of each row, which take longer to count.")


class LogParams(FilterParams):
    """Which page."""

    cursor: str = Field("", max_length=256, description="`next_cursor` of the page before.")
    limit: int = Field(100, ge=1, le=999)


def refusal(param: str, rule: str) -> InvalidRequest:
    """Return the error that names a parameter and what is allowed."""
    return invalid_parameter(param, f"`{param}` {rule}.")


def whose_of(params: PeriodParams, caller: Caller) -> Whose:
    """Return whose figures are asked for.

    Raises:
        PermissionDenied: another's, without the scope `admin`.
    """
    if params.user_id in ("", caller.user_id):
        return Whose(caller.user_id)
    if Scope.ADMIN.value not in caller.scopes:
        raise PermissionDenied(
            ErrorReason.INSUFFICIENT_SCOPE,
            "`user_id` other than your own takes the scope `admin`.",
            param="user_id",
            details={"required_scope": Scope.ADMIN.value},
        )
    return Whose(caller.user_id, "" if params.user_id == EVERYBODY else params.user_id)


def period_of(params: PeriodParams, caller: Caller, now: datetime) -> Period:
    """Return the period that is meant.

    Raises:
        InvalidRequest: names the parameter.
    """
    zone = zone_of(params.tz, caller)
    area = ZoneInfo(zone)
    if params.since or params.until:
        if params.period:
            raise refusal("period", "cannot be given together with `from` or `to`")
        if not params.since:
            raise refusal("from", "must be given where `to` is")
        since, until = _moment("from", params.since, area), _end(params.until, area, now)
        check_span(since, until, "from", "to", ends_now=not params.until)
        return Period(max(since, BEGINNING), min(until, _LATEST), zone)
    return Period(_start_of(params.period or DEFAULT_PERIOD, area, now), now, zone)


def check_span(since: datetime, until: datetime, first: str, last: str, *, ends_now: bool) -> None:
    """Refuse a span in which there can be nothing; `first` and `last` are the names of its parameters.

    Raises:
        InvalidRequest: names the one that is wrong.
    """
    if until <= since:
        if ends_now:
            raise refusal(first, f"must be in the past where `{last}` is not given")
        raise refusal(last, f"must be later than `{first}`")
    if until <= BEGINNING:
        raise refusal(last, f"must be later than {BEGINNING:%Y-%m-%d}: no request is older")
    if since >= _LATEST:
        raise refusal(first, f"must be before {_LATEST:%Y-%m-%d}")


def zone_of(tz: str, caller: Caller) -> str:
    """Return the time zone that is meant: the account's where none is named.

    Raises:
        InvalidRequest: there is no such zone.
    """
    zone = tz or caller.time_zone
    if zone not in _zones():
        raise refusal("tz", "must be the IANA name of a time zone, for example `Europe/Moscow`")
    return zone


@lru_cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _end(text: str, area: ZoneInfo, now: datetime) -> datetime:
    return _moment("to", text, area) if text else now


def _moment(param: str, text: str, area: ZoneInfo) -> datetime:
    try:
        if len(text) == len("2026-01-01"):
            found = datetime.combine(date.fromisoformat(text), time(), area)
        else:
            # A `+` that was not escaped arrives as a space.
            found = datetime.fromisoformat(text.replace(" ", "+"))
        return (found if found.tzinfo else found.replace(tzinfo=area)).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise refusal(param, "must be a date like `2026-11-01` or a moment like `2026-11-01T09:30:00+03:00`") from exc


def _start_of(name: str, area: ZoneInfo, now: datetime) -> datetime:
    today = now.astimezone(area).date()
    days = {"today": 0, "7d": 6, "30d": 29, "90d": 89, "month": today.day - 1}
    if name == "all":
        return BEGINNING
    if name not in days:
        raise refusal("period", f"must be one of {', '.join(PERIODS)}")
    return datetime.combine(today - timedelta(days=days[name]), time(), area).astimezone(UTC)


def filters_of(params: FilterParams) -> Filters:
    """Return the values of each dimension that is narrowed."""
    given = {name: tuple(getattr(params, name)) for name in DIMENSIONS}
    for tag in given["tag"]:
        if "=" not in tag:
            raise refusal("tag", "must be `name=value`")
    return {name: values for name, values in given.items() if values}


def groups_of(params: GroupParams, caller: Caller) -> tuple[str, ...]:
    """Return the dimensions, which may be given as a list with commas or one by one.

    Raises:
        InvalidRequest: one is unknown, or there are more than two.
    """
    named = [name.strip() for text in params.group_by for name in text.split(",") if name.strip()]
    allowed = (*DIMENSIONS, ADMIN_DIMENSION) if Scope.ADMIN.value in caller.scopes else DIMENSIONS
    if any(name not in allowed for name in named):
        raise refusal("group_by", f"takes {', '.join(allowed)}")
    if len(named) > 2 or len(set(named)) != len(named):
        raise refusal("group_by", "takes at most two different dimensions")
    return tuple(named)


def bucket_of(text: str, period: Period) -> str:
    """Return the bucket that is asked for, or the one that gives a graph a few dozen points.

    Raises:
        InvalidRequest: it is unknown.
    """
    if text:
        if text not in BUCKETS:
            raise refusal("bucket", f"must be one of {', '.join(BUCKETS)}")
        return text
    length = period.until - period.since
    suited: Sequence[tuple[timedelta, str]] = (
        (timedelta(days=2), "hour"),
        (timedelta(days=93), "day"),
        (timedelta(days=400), "week"),
    )
    return next((bucket for longest, bucket in suited if length <= longest), "month")


def question_of(params: GroupParams, caller: Caller, now: datetime, **more: Any) -> Question:
    """Return what is asked; keyword arguments are further fields of the question.

    Raises:
        InvalidRequest: names the parameter.
    """
    period = period_of(params, caller, now)
    groups = groups_of(params, caller)
    if isinstance(params, BucketParams):
        more |= {"bucket": bucket_of(params.bucket, period), "quantiles": params.durations}
    return Question(period, group_by=groups, filters=filters_of(params), top=params.top, **more)
