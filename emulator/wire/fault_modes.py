"""The twenty ways in which a provider fails, each with its forms: what a matrix of faults has to go through.

`faults` has the whole vocabulary, with what only one dialect can do; here is what every provider and upstream can do,
streamed and plain.
"""

from enum import StrEnum
from typing import Final


class FaultMode(StrEnum):
    """A way to fail that every listener of HTTP plays for generations, streamed and plain."""

    FIXED_LATENCY = "fixed_latency"
    VARYING_LATENCY = "varying_latency"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    RESET_BEFORE_HEADERS = "reset_before_headers"
    RESET_MID_BODY = "reset_mid_body"
    TRICKLE = "trickle"
    STALL = "stall"
    TRUNCATED_JSON = "truncated_json"
    USAGE_MISSING = "usage_missing"
    USAGE_ZERO = "usage_zero"
    USAGE_TWICE = "usage_twice"
    MALFORMED_JSON = "malformed_json"
    WRONG_CONTENT_LENGTH = "wrong_content_length"
    CHUNKED_GARBAGE = "chunked_garbage"
    GZIP_BOMB = "gzip_bomb"
    LONG_LINE = "long_line"
    INVALID_UTF8 = "invalid_utf8"
    INWARD_REDIRECT = "inward_redirect"
    EXTRA_RESPONSE = "extra_response"


# As they are written in a header or a marker, the plainest first.
FORMS: Final[dict[FaultMode, tuple[str, ...]]] = {
    FaultMode.FIXED_LATENCY: ("latency ms=300",),
    FaultMode.VARYING_LATENCY: ("lognormal median=100 sigma=0.6",),
    FaultMode.RATE_LIMITED: (
        "rate_limit retry_after=20",
        "rate_limit retry_after=date seconds=20",
        "rate_limit retry_after=absent",
        "rate_limit retry_after=negative",
    ),
    FaultMode.SERVER_ERROR: ("status code=500", "status code=503", "status code=529"),
    FaultMode.RESET_BEFORE_HEADERS: ("rst_before_headers",),
    FaultMode.RESET_MID_BODY: ("rst_mid_body after=2 settle_ms=200",),
    FaultMode.TRICKLE: ("slow gap_ms=1000 size=1",),
    FaultMode.STALL: ("stall_before_headers", "stall after=2"),
    FaultMode.TRUNCATED_JSON: ("cut_mid_json after=2",),
    FaultMode.USAGE_MISSING: ("usage_missing",),
    FaultMode.USAGE_ZERO: ("usage_zero",),
    FaultMode.USAGE_TWICE: ("usage_duplicate",),
    FaultMode.MALFORMED_JSON: ("malformed_json after=2",),
    FaultMode.WRONG_CONTENT_LENGTH: ("content_length_short by=10", "content_length_long by=10"),
    FaultMode.CHUNKED_GARBAGE: ("chunked_garbage after=2",),
    FaultMode.GZIP_BOMB: ("gzip_bomb mb=100",),
    FaultMode.LONG_LINE: ("long_line mb=10",),
    FaultMode.INVALID_UTF8: ("invalid_utf8 after=2",),
    FaultMode.INWARD_REDIRECT: ("redirect location=http://169.254.169.254/latest/meta-data/",),
    FaultMode.EXTRA_RESPONSE: ("extra_response",),
}
