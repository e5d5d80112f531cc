"""Patterns of failures: errors of one key with one model, truncated answers, full context windows, rapid retries."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from statistics import median
from typing import Final

from services.usage.insights.domain.finding import Found, Pattern, Saving, found
from services.usage.insights.domain.intervals import wilson
from services.usage.insights.domain.material import Material, Retry
from services.usage.insights.domain.values import Count, Name, Number, Share, Values

HOTSPOT_MIN_ERRORS: Final = 20
HOTSPOT_TIMES: Final = 2.0
MIN_CALLS: Final = 50
CUT_SHARE: Final = 0.03
OVERSIZE_SHARE: Final = 0.05
STORM_REQUESTS: Final = 5
STORM_ERRORS: Final = 3
STORM_S: Final = 60.0
STORM_GAP_S: Final = 2.0
STORMS_A_DAY: Final = 3
RETRY_DAYS: Final = 7
# What shorter context can spare of the cost of calls that read much to say little, and how sure each advice is.
SPARED_CONTEXT: Final = 0.5
CONTEXT_CONFIDENCE: Final = 0.4
CUT_CONFIDENCE: Final = 0.3
STORM_CONFIDENCE: Final = 0.9


def error_hotspot(material: Material) -> Iterator[Found]:
    """Find a key and model at which one error is more than twice as frequent as errors are over all."""
    requests = sum(row.requests for row in material.last_days(28))
    errors = sum(row.errors for row in material.last_days(28))
    overall = errors / requests if requests else 0.0
    for use in material.errors:
        low, _ = wilson(use.errors, use.requests)
        if use.errors < HOTSPOT_MIN_ERRORS or low <= HOTSPOT_TIMES * overall:
            continue
        values: Values = {
            "code": Name(use.code),
            "key": Name(use.key_id or "-"),
            "model": Name(use.model),
            "share": Share(use.errors / use.requests),
            "errors": Count(use.errors, "request"),
            "overall": Share(overall),
        }
        query = {**material.span(), "group_by": "error", "key": use.key_id, "version": use.model}
        yield found(Pattern.ERROR_HOTSPOT, f"{use.key_id}/{use.model}/{use.code}", values, query)


def oversize_ctx(material: Material) -> Iterator[Found]:
    """Find models whose window is nearly full in one call of twenty, or that read much to say little."""
    for use in material.models_in_use:
        shapes = {"oversize_ctx": use.near_window, "oversize_ctx_short_answers": use.long_to_short}
        wording = max(shapes, key=lambda name: shapes[name])
        if use.calls < MIN_CALLS or shapes[wording] <= OVERSIZE_SHARE * use.calls:
            continue
        values: Values = {
            "model": Name(use.model),
            "share": Share(shapes[wording] / use.calls),
            "input_p95": Count(use.input_p95, "token"),
        }
        query = {**material.span(), "group_by": "version", "version": use.model}
        saving = Saving(0, int(material.monthly(use.long_to_short_cost_micro_rub) * SPARED_CONTEXT), CONTEXT_CONFIDENCE)
        yield found(Pattern.OVERSIZE_CTX, use.model, values, query, saving=saving, wording=wording)


def max_tokens_waste(material: Material) -> Iterator[Found]:
    """Find models of whose answers more than 3 % are cut by max_tokens: they are paid and seldom of use."""
    for use in material.models_in_use:
        if use.calls >= MIN_CALLS and use.cut > CUT_SHARE * use.calls:
            values: Values = {
                "model": Name(use.model),
                "share": Share(use.cut / use.calls),
                "answers": Count(use.cut, "request"),
            }
            query = {**material.span(), "group_by": "version", "version": use.model}
            saving = Saving(0, material.monthly(use.cut_cost_micro_rub), CUT_CONFIDENCE)
            yield found(Pattern.MAX_TOKENS_WASTE, use.model, values, query, saving=saving)


def retry_storm(material: Material) -> Iterator[Found]:
    """Find series of one prompt: five in a minute, three of them failed, less than two seconds apart."""
    by_prompt: defaultdict[tuple[str, bytes], list[Retry]] = defaultdict(list)
    for retry in material.retries:
        by_prompt[retry.key_id, retry.digest].append(retry)
    storms = sum(storms_in(sorted(group, key=lambda retry: retry.at)) for group in by_prompt.values())
    if storms >= STORMS_A_DAY * RETRY_DAYS:
        values: Values = {
            "series": Count(storms, "series"),
            "days": Count(RETRY_DAYS, "day"),
            "per_day": Number(storms / RETRY_DAYS, 1),
        }
        query = {**material.span(RETRY_DAYS), "group_by": "error", "status": "failed"}
        yield found(Pattern.RETRY_STORM, "", values, query, saving=Saving(0, 0, STORM_CONFIDENCE))


def storms_in(retries: Sequence[Retry]) -> int:
    """Return how many series there are in the requests of one prompt, in order; no request is in two."""
    storms, span = 0, deque[Retry]()
    for retry in retries:
        span.append(retry)
        while retry.at - span[0].at > timedelta(seconds=STORM_S):
            span.popleft()
        if _is_storm(span):
            storms += 1
            span.clear()
    return storms


def _is_storm(span: deque[Retry]) -> bool:
    if len(span) < STORM_REQUESTS or sum(retry.failed for retry in span) < STORM_ERRORS:
        return False
    moments = [retry.at for retry in span]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
    return median(gaps) < STORM_GAP_S
