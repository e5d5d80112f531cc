"""Rate-limit headers: release 1.0's, OpenAI's and the IETF draft's, from one report.

    X-RateLimit-Limit / -Remaining / -Reset             requests; Reset in Unix seconds (release 1.0)
    x-ratelimit-{limit,remaining,reset}-{requests,tokens}   OpenAI; reset as "1m30s"
    RateLimit-Policy, RateLimit                         draft-ietf-httpapi-ratelimit-headers-10
    Retry-After                                         seconds, never earlier than RateLimit's t
    X-Razvilka-Limit                                    which cap refused, told, or would have refused

The tightest of user, key and model version is reported; nothing of other callers shows.
"""

from __future__ import annotations

import math
from functools import lru_cache

from services.gateway.admission.dimensions import RATES, ROWS, Dimension, Rule, Unit
from services.gateway.admission.request import Figure, LimitReport, ReachedCap

Header = tuple[bytes, bytes]

_REQUESTS = frozenset(row.name for row in RATES if row.unit is Unit.REQUESTS)
_TOKENS = frozenset(row.name for row in RATES if row.unit is Unit.TOKENS)


def rate_limit_headers(report: LimitReport, *, now_s: float) -> list[Header]:
    """Return the headers of an answer, names in lower case; `now_s` is the wall clock in Unix seconds."""
    headers: list[Header] = []
    figures = report.figures
    if figures:
        requests = _tightest(report, _REQUESTS)
        if requests is not None:
            reset_s = _wait(requests, report)
            headers += _legacy(requests, reset_s, now_s)
            headers += _openai(requests, b"requests", reset_s)
        tokens = _tightest(report, _TOKENS)
        if tokens is not None:
            headers += _openai(tokens, b"tokens", _wait(tokens, report))
        headers.append((b"ratelimit-policy", _policy(tuple([(figure.dimension, figure.limit) for figure in figures]))))
        headers.append((b"ratelimit", _ietf(report)))
    if report.reached:
        headers.append((b"x-razvilka-limit", ", ".join(map(_reached, report.reached)).encode()))
    if report.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % _whole(report.retry_after_s)))
    return headers


def _reached(cap: ReachedCap) -> str:
    """Return a member of a list (RFC 9651): the id of the cap, and what is known of it; what is not is left out."""
    parts = {
        "mode": cap.mode.value,
        "owner": cap.owner,
        "kind": cap.dimension.value,
        "period": cap.period,
        "amount": str(cap.amount),
        "used": "" if cap.used is None else str(cap.used),
        "unit": ROWS[cap.dimension].amounts,
        "reset": "" if cap.resets_at_s is None else str(cap.resets_at_s),
    }
    return f'"{cap.id}"' + "".join(f";{name}={value}" for name, value in parts.items() if value)


def _tightest(report: LimitReport, among: frozenset[Dimension]) -> Figure | None:
    """Return the limit that refused; else the one with least left, of equals the one that is whole last."""
    found: Figure | None = None
    for figure in report.figures:
        if figure.dimension in among:
            if figure.dimension is report.violated:
                return figure
            if found is None or (figure.remaining, -figure.reset_s) < (found.remaining, -found.reset_s):
                found = figure
    return found


def _wait(figure: Figure, report: LimitReport) -> float:
    """Return the seconds until this limit helps again: what it refused for, else until it is whole."""
    if figure.dimension is report.violated and report.retry_after_s is not None:
        return report.retry_after_s
    return figure.reset_s


def _whole(seconds: float) -> int:
    return max(1, math.ceil(seconds))


def _legacy(figure: Figure, reset_s: float, now_s: float) -> list[Header]:
    return [
        (b"x-ratelimit-limit", b"%d" % figure.limit),
        (b"x-ratelimit-remaining", b"%d" % figure.remaining),
        (b"x-ratelimit-reset", b"%d" % math.ceil(now_s + reset_s)),
    ]


def _openai(figure: Figure, unit: bytes, reset_s: float) -> list[Header]:
    return [
        (b"x-ratelimit-limit-" + unit, b"%d" % figure.limit),
        (b"x-ratelimit-remaining-" + unit, b"%d" % figure.remaining),
        (b"x-ratelimit-reset-" + unit, duration(reset_s)),
    ]


def duration(seconds: float) -> bytes:
    """Return seconds the way OpenAI writes them: "20ms", "1.5s", "6m0s", "1h2m3s"."""
    milliseconds = max(0, math.ceil(seconds * 1000))
    if milliseconds < 1000:
        return b"%dms" % milliseconds
    minutes, rest = divmod(milliseconds, 60_000)
    tail = f"{rest / 1000:g}s"
    if not minutes:
        return tail.encode()
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h{minutes}m{tail}" if hours else f"{minutes}m{tail}").encode()


@lru_cache(maxsize=1024)
def _policy(limits: tuple[tuple[Dimension, int], ...]) -> bytes:
    return ", ".join(f'"{dimension}";q={limit}{ROWS[dimension].policy}' for dimension, limit in limits).encode()


def _ietf(report: LimitReport) -> bytes:
    """Return the one member that the caller will hit first."""
    violated = [figure for figure in report.figures if figure.dimension is report.violated]
    figure = violated[0] if violated else min(report.figures, key=lambda each: each.remaining / each.limit)
    if ROWS[figure.dimension].rule is Rule.SLOTS:
        # Slots come back when requests end: nobody knows when, so there is no t.
        return b'"%b";r=%d' % (figure.dimension.encode(), figure.remaining)
    return b'"%b";r=%d;t=%d' % (figure.dimension.encode(), figure.remaining, math.ceil(_wait(figure, report)))
