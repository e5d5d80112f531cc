"""Faults by name: how a test asks for one, and the script that hands them out call by call."""

import math
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

# The whole vocabulary with arguments and defaults; the README prints the same table.
FAULTS: Final[dict[str, str]] = {
    # answered instead of a generation
    "status": "code=500 [html=1] [message=...]: an error in the provider's own envelope",
    "rate_limit": "retry_after=2|date|absent|negative [seconds=2] [kind=gauge|rate]: 429",
    "golden": "name=gigachat/error_404_model: the recorded response, byte for byte",
    "redirect": "location=http://169.254.169.254/latest/meta-data/ status=302",
    "token_expired": "401 as for an expired token",
    # time
    "latency": "ms=500: answers, but late",
    "lognormal": "median=200 sigma=0.6: latency drawn from a seeded lognormal",
    "stall_before_headers": "accepts the request and never answers",
    "stall": "after=1: sends that many chunks, then nothing, and keeps the connection",
    "slow": "gap_ms=1000 size=1: the whole answer, size bytes at a time",
    # connection
    "rst_before_headers": "TCP reset instead of an answer",
    "rst_mid_body": "after=1 [settle_ms=20]: TCP reset behind that many chunks",
    "close_before_headers": "closes without a byte",
    "cut_mid_stream": "after=1: closes behind that many chunks, no last chunk",
    "cut_mid_json": "after=1: closes in the middle of the next chunk's JSON",
    "end_early": "after=1: a well-formed end of body without a final status or [DONE]",
    # HTTP and bytes
    "malformed_json": "after=1: that chunk is not JSON; the rest is fine",
    "content_length_short": "by=10: Content-Length smaller than the body",
    "content_length_long": "by=10: Content-Length larger than the body, then close",
    "chunked_garbage": "after=1: a chunk size that is no number",
    "gzip_bomb": "mb=100: a small gzip body that unpacks to that much",
    "long_line": "mb=10: one line of that size without its newline first",
    "invalid_utf8": "after=1: bytes that are no UTF-8, split over two chunks",
    "extra_response": "a second, unasked response behind the first",
    "empty_body": "200 and nothing in it",
    "wrong_content_type": "type=text/html: the right body under a wrong type",
    "byte_splits": "size=1: the right bytes in tiny writes",
    "utf8_splits": "every chunk is parted inside a letter and inside a line",
    # meaning
    "usage_missing": "no usage anywhere",
    "usage_zero": "usage says 0",
    "usage_duplicate": "the chunk with the last usage comes twice",
    "content_filter": "after=1: the provider's filter replaces the answer",
    "mid_stream_error": "after=1 code=500: an error event inside the 200 stream",
    "prefix_rewrite": "after=2 [restore=1]: a later cumulative partial changes earlier text (Yandex native)",
    "struct_doubles": "integers of tool arguments come as 5.0 (Yandex native)",
    "arguments_string": "function arguments as a string, not an object (GigaChat)",
    "finish_with_call": "finish_reason on the function call's own delta (GigaChat)",
    "in_progress": "function_in_progress deltas before the text (GigaChat)",
    "bad_arguments": "tool arguments that are no JSON (/v1 and generic upstream)",
}

# After these the client does not have the whole answer, or can't read it.
BREAKING: Final = frozenset(FAULTS) - {
    "golden", "latency", "lognormal", "slow", "extra_response", "wrong_content_type", "byte_splits", "utf8_splits",
    "usage_missing", "usage_zero", "usage_duplicate", "content_filter", "prefix_rewrite", "struct_doubles",
    "arguments_string", "finish_with_call", "in_progress", "bad_arguments",
}  # fmt: skip


class UnknownFaultError(ValueError):
    """Nobody knows a fault of this name."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault to commit, with its arguments as written."""

    name: str
    args: Mapping[str, str] = field(default_factory=dict)

    def number(self, key: str, default: float) -> float:
        """Return a numeric argument."""
        return float(self.args.get(key, default))

    def after(self, default: int = 1) -> int:
        """Return behind how many chunks the fault strikes."""
        return int(self.args.get("after", default))

    def text(self, key: str, default: str) -> str:
        """Return a textual argument."""
        return str(self.args.get(key, default))


def parse_fault(spec: str) -> Fault:
    """Read `name;key=value` or `name key=value`.

    Raises:
        UnknownFaultError: no such fault.
    """
    name, *rest = [part for part in re.split(r"[;\s]+", spec.strip()) if part] or [""]
    args = (part.partition("=") for part in rest)
    return make_fault(name, {key: value or "1" for key, _, value in args})


def make_fault(name: str, args: Mapping[str, object]) -> Fault:
    """Return the fault when its name is known.

    Raises:
        UnknownFaultError: no such fault.
    """
    if name not in FAULTS:
        raise UnknownFaultError(f"unknown fault {name!r}; known: {', '.join(FAULTS)}")
    return Fault(name, {key: str(value) for key, value in args.items()})


@dataclass(slots=True)
class Rule:
    """A fault waiting in the script and the calls it is meant for; None matches anything.

    It waits `for_s` seconds at most; 0: until it is used up.
    """

    fault: Fault
    provider: str | None = None
    model: str | None = None
    operation: str | None = None
    times: int = 1
    skip: int = 0
    chance: float = 1.0
    for_s: float = 0.0
    ends_at: float = math.inf

    def matches(self, provider: str, operation: str, model: str) -> bool:
        """Tell whether the rule is about this call; token calls must be named to be hit."""
        if self.provider is not None and self.provider != provider:
            return False
        if self.model is not None and self.model not in model:
            return False
        if self.operation is None:
            return operation != "token"
        return self.operation == operation


class FaultScript:
    """The queue of rules; each call takes the first rule that fits it."""

    def __init__(self, seed: int) -> None:
        """Start empty; the seed drives rules with a chance."""
        self._rules: list[Rule] = []
        self._random = random.Random(seed)  # noqa: S311 - a test's dice, not a secret

    def add(self, rule: Rule) -> None:
        """Put a rule at the end of the queue.

        Raises:
            ValueError: it would wait for no time.
        """
        if not 0 <= rule.for_s < math.inf:
            raise ValueError("for_s must be seconds, 0 for no end")
        if rule.for_s:
            rule.ends_at = time.monotonic() + rule.for_s
        self._rules.append(rule)

    def remove(self, provider: str | None) -> int:
        """Forget the rules that name this provider (None: all); return how many there were."""
        kept = [] if provider is None else [rule for rule in self._waiting() if rule.provider != provider]
        removed, self._rules = len(self._waiting()) - len(kept), kept
        return removed

    def shown(self) -> list[dict[str, object]]:
        """Return the rules that wait; `left_s` is None of those without an end."""
        now = time.monotonic()
        return [
            {
                "fault": rule.fault.name,
                "args": rule.fault.args,
                "provider": rule.provider,
                "model": rule.model,
                "operation": rule.operation,
                "times": rule.times,
                "left_s": None if rule.ends_at == math.inf else rule.ends_at - now,
            }
            for rule in self._waiting()
        ]

    def _waiting(self) -> list[Rule]:
        now = time.monotonic()
        self._rules = [rule for rule in self._rules if rule.ends_at > now]
        return self._rules

    def clear(self) -> None:
        """Forget all rules."""
        self._rules.clear()

    def pending(self) -> int:
        """Return how many rules still wait."""
        return len(self._waiting())

    def take(self, provider: str, operation: str, model: str) -> Fault | None:
        """Return the fault for this call, if any, and use it up."""
        for rule in self._waiting():
            if not rule.matches(provider, operation, model):
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.chance < 1.0 and self._random.random() >= rule.chance:
                continue
            rule.times -= 1
            if rule.times == 0:
                self._rules.remove(rule)
            return rule.fault
        return None
