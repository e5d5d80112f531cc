"""The cells of the matrix: what is asked, and what must come of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from emulator.wire.fault_modes import FORMS, FaultMode


class Model(NamedTuple):
    """A model that another one stands in for.

    Attributes:
        id: ours.
        on_the_wire: its name at its provider.
        stand_in: of another provider, named by the caller; empty: one of the same provider, by the catalogue.
        is_tokenized: its provider has a tokenizer that counts what an answer did not say.
    """

    id: str
    on_the_wire: str
    stand_in: str = ""
    is_tokenized: bool = True


PROVIDERS: Final = {
    "yandexgpt": Model("yandexgpt-5-pro", "yandexgpt-5-pro"),
    "gigachat": Model("gigachat-max", "GigaChat-2-Max"),
    "upstream": Model("toy-large", "toy-large", stand_in="gigachat-pro", is_tokenized=False),
}


class Outcome(NamedTuple):
    """A status and `error.code`. Status 200 with a code: an answer that breaks off with an error event."""

    status: int
    code: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether the caller has the whole answer."""
        return self.status == 200 and not self.code


WHOLE: Final = Outcome(200)
BROKEN: Final = Outcome(502, "provider_error")
CUT: Final = Outcome(200, "provider_error")
LOST: Final = Outcome(503, "provider_unavailable")
LIMITED: Final = Outcome(503, "provider_rate_limited")
SLOW: Final = Outcome(504, "provider_timeout")
CUT_SLOW: Final = Outcome(200, "provider_timeout")


class Expected(NamedTuple):
    """What a caller without fallbacks sees; several where the network decides whether the first words are read."""

    plain: tuple[Outcome, ...]
    stream: tuple[Outcome, ...]


def _both(outcome: Outcome) -> Expected:
    return Expected((outcome,), (outcome,))


_OF_MODE: Final = {
    FaultMode.FIXED_LATENCY: _both(WHOLE),
    FaultMode.VARYING_LATENCY: _both(WHOLE),
    FaultMode.SERVER_ERROR: _both(BROKEN),
    FaultMode.RESET_BEFORE_HEADERS: _both(LOST),
    FaultMode.RESET_MID_BODY: Expected((BROKEN,), (CUT, BROKEN)),
    FaultMode.TRICKLE: _both(SLOW),
    FaultMode.TRUNCATED_JSON: Expected((BROKEN,), (CUT, BROKEN)),
    FaultMode.USAGE_MISSING: _both(WHOLE),
    FaultMode.USAGE_ZERO: _both(WHOLE),
    FaultMode.USAGE_TWICE: _both(WHOLE),
    FaultMode.MALFORMED_JSON: Expected((BROKEN,), (CUT,)),
    FaultMode.CHUNKED_GARBAGE: Expected((BROKEN,), (CUT, BROKEN)),
    FaultMode.GZIP_BOMB: _both(BROKEN),
    FaultMode.LONG_LINE: _both(BROKEN),
    FaultMode.INVALID_UTF8: Expected((BROKEN,), (CUT,)),
    FaultMode.INWARD_REDIRECT: _both(BROKEN),
    FaultMode.EXTRA_RESPONSE: _both(WHOLE),
}
_OF_FORM: Final = {
    # Longer than anybody waits for a quota.
    "rate_limit retry_after=20": _both(LIMITED),
    "rate_limit retry_after=date seconds=20": _both(LIMITED),
    # It is tried again until the deadline, which may end the last try.
    "rate_limit retry_after=absent": Expected((LIMITED, SLOW), (LIMITED, SLOW)),
    "rate_limit retry_after=negative": Expected((LIMITED, SLOW), (LIMITED, SLOW)),
    "stall_before_headers": _both(SLOW),
    "stall after=2": Expected((SLOW,), (CUT_SLOW,)),
    "content_length_short by=10": Expected((BROKEN,), (CUT, BROKEN)),
    # The end of a stream says that it is whole before the missing bytes could be missed.
    "content_length_long by=10": Expected((BROKEN,), (WHOLE,)),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A way to fail, the form of the answer, and whether another model may replace the one that fails."""

    mode: FaultMode
    form: str
    provider: str
    stream: bool
    fallback: bool

    @property
    def name(self) -> str:
        """Its name among the tests."""
        shape, help_ = "stream" if self.stream else "plain", "fallback" if self.fallback else "alone"
        return f"{self.form}-{self.provider}-{shape}-{help_}"

    @property
    def model(self) -> Model:
        """The model that is asked for."""
        return PROVIDERS[self.provider]

    @property
    def steering(self) -> dict[str, Any]:
        """What the body says of who may answer."""
        if not self.fallback:
            return {"provider": {"allow_fallbacks": False}}
        return {"models": [self.model.id, self.model.stand_in]} if self.model.stand_in else {}

    @property
    def question(self) -> str:
        """What is asked: only the model asked for fails, not the one that replaces it."""
        return f"Где север? [[tokens:24]] [[chunks:8]] [[fault:{self.form} model={self.model.on_the_wire}]]"

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What may come of it: a failure before the first words is replaced where it can be, one after them never."""
        expected = _OF_FORM.get(self.form) or _OF_MODE[self.mode]
        alone = expected.stream if self.stream else expected.plain
        if not self.fallback:
            return alone
        return tuple(dict.fromkeys(WHOLE if outcome.status != 200 else outcome for outcome in alone))


CELLS: Final = {
    cell.name: cell
    for mode, forms in FORMS.items()
    for form in forms
    for provider in PROVIDERS
    for stream in (False, True)
    for fallback in (False, True)
    for cell in [Cell(mode, form, provider, stream, fallback)]
}
