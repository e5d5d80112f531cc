"""Rate-limit headers: release 1.0's, OpenAI's and the IETF draft's, from one report."""

from __future__ import annotations

from services.gateway.admission.request import LimitReport


def rate_limit_headers(report: LimitReport, *, now_s: float) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer; `now_s` is the wall clock in Unix seconds."""
    raise NotImplementedError
