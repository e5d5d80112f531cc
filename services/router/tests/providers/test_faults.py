"""Every fault of the emulator, against each dialect: a ServiceError in time, or the right answer; nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from emulator.testing import RunningEmulator
from servicekit.errors import ErrorReason, ServiceError
from services.router.domain.completion import FinishReason
from services.router.tests.adapters import HASTY, LONG_S, PATIENT, Adapters, ask, call_for, obtain, open_adapters

TEXT = "Северная стоянка ближе всех к реке: до неё четыреста метров по тропе."
PROMPT = f"Привет [[text:{TEXT}]]"
PROVIDER_OF = {"native": "yandexgpt", "v1": "yandexgpt", "gigachat": "gigachat", "upstream": "upstream"}
R = ErrorReason
UNAVAILABLE, BROKEN, SLOW = {R.PROVIDER_UNAVAILABLE}, {R.PROVIDER_ERROR}, {R.PROVIDER_TIMEOUT}
CUT = UNAVAILABLE | BROKEN

# Fault, its arguments, what it may be called when the answer is whole, and when it is streamed.
Args = dict[str, Any]
BREAKING: list[tuple[str, Args, set[ErrorReason], set[ErrorReason]]] = [
    ("stall_before_headers", {}, SLOW, SLOW),
    ("stall", {"after": 1}, SLOW, SLOW),
    ("slow", {"gap_ms": 100, "size": 1}, SLOW, SLOW),
    ("rst_before_headers", {}, UNAVAILABLE, UNAVAILABLE),
    ("rst_mid_body", {"after": 1}, CUT, CUT),
    ("close_before_headers", {}, UNAVAILABLE, UNAVAILABLE),
    ("cut_mid_stream", {"after": 1}, CUT, CUT),
    ("cut_mid_json", {"after": 1}, CUT, CUT),
    ("end_early", {"after": 1}, BROKEN, BROKEN),
    ("malformed_json", {"after": 1}, BROKEN, BROKEN),
    ("content_length_short", {"by": 10}, BROKEN, BROKEN),
    ("content_length_long", {"by": 10}, CUT, CUT),
    ("chunked_garbage", {"after": 1}, CUT, CUT),
    # Ten terabytes: refused for its head, so how long the body takes says nothing.
    ("gzip_bomb", {"mb": 10_000_000}, BROKEN, BROKEN),
    ("long_line", {"mb": 10}, BROKEN, BROKEN),
    ("invalid_utf8", {"after": 1}, BROKEN, BROKEN),
    ("empty_body", {}, BROKEN, BROKEN),
    ("redirect", {}, BROKEN, BROKEN),
    ("rate_limit", {"retry_after": "absent"}, {R.PROVIDER_RATE_LIMITED}, {R.PROVIDER_RATE_LIMITED}),
    ("status", {"code": 500}, BROKEN, BROKEN),
    ("status", {"code": 503, "html": 1}, BROKEN, BROKEN),
    ("status", {"code": 529}, BROKEN, BROKEN),
    ("mid_stream_error", {"after": 1, "code": 500}, BROKEN, BROKEN),
]
HARMLESS: list[tuple[str, Args]] = [
    ("latency", {"ms": 50}),
    ("extra_response", {}),
    ("wrong_content_type", {"type": "text/html"}),
    ("byte_splits", {"size": 1}),
    ("utf8_splits", {}),
    ("usage_missing", {}),
    ("usage_zero", {}),
    ("usage_duplicate", {}),
    ("in_progress", {}),
]


# The end of the answer came before the fault, or the fault hit bytes that nobody reads.
SURVIVED = {("content_length_long", True), ("mid_stream_error", False), ("invalid_utf8", "gigachat")}


async def outcome(adapters: Adapters, dialect: str, *, stream: bool) -> ErrorReason | None:
    """Return why it failed; None when the answer is right and whole."""
    try:
        heard = await obtain(adapters.of(PROVIDER_OF[dialect]), ask(PROMPT), call_for(dialect), stream=stream)
    except ServiceError as exc:
        return exc.reason
    assert (heard.text, heard.finish) == (TEXT, FinishReason.STOP)
    return None


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("dialect", PROVIDER_OF)
@pytest.mark.parametrize(
    ("fault", "args", "plain", "streamed"),
    BREAKING,
    ids=[f"{row[0]}-{len(row[1])}-{n}" for n, row in enumerate(BREAKING)],
)
async def test_faults_become_errors_in_time(
    emulator: RunningEmulator,
    fault: str,
    args: Args,
    plain: set[ErrorReason],
    streamed: set[ErrorReason],
    dialect: str,
    stream: bool,
) -> None:
    """Whatever a provider does, the caller hears a ServiceError of the right class before our limits run out."""
    await emulator.control.fail(fault, operation="chat", **args)

    limits = HASTY if plain == SLOW else PATIENT
    async with open_adapters(emulator, limits) as adapters, asyncio.timeout(LONG_S):
        reason = await outcome(adapters, dialect, stream=stream)

    harmless_here = (fault, stream) in SURVIVED or (fault, dialect) in SURVIVED
    assert reason in (streamed if stream else plain) or (harmless_here and reason is None)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("dialect", PROVIDER_OF)
@pytest.mark.parametrize(("fault", "args"), HARMLESS, ids=[row[0] for row in HARMLESS])
async def test_harmless_faults_change_nothing(
    adapters: Adapters, emulator: RunningEmulator, fault: str, args: Args, dialect: str, stream: bool
) -> None:
    """Odd splits, late, missing or repeated usage: the text and its end are as they should be."""
    await emulator.control.fail(fault, operation="chat", **args)

    heard = await obtain(adapters.of(PROVIDER_OF[dialect]), ask(PROMPT), call_for(dialect), stream=stream)

    assert heard.text == TEXT
    assert heard.finish is FinishReason.STOP
    if fault == "usage_missing":
        assert heard.usage is None
    if fault == "usage_zero" and heard.usage is not None:
        assert (heard.usage.prompt_tokens, heard.usage.completion_tokens) == (0, 0)


@pytest.mark.parametrize("dialect", list(PROVIDER_OF))
async def test_a_plain_answer_that_does_not_begin_is_given_up_before_its_deadline(
    emulator: RunningEmulator, dialect: str
) -> None:
    """Then the next model is asked; it took all of the time once. One that has begun may take what is left."""
    early = PATIENT.model_copy(update={"first_byte_s": 0.25})
    async with open_adapters(emulator, early) as adapters:
        await emulator.control.fail("stall_before_headers", operation="chat")
        with pytest.raises(ServiceError) as caught:
            await adapters.of(PROVIDER_OF[dialect]).complete(ask(PROMPT), call_for(dialect))

    assert caught.value.reason is R.PROVIDER_TIMEOUT
