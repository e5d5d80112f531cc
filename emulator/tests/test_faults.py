"""Fault specifications, markers and the script."""

import pytest

from emulator.markers import read_directions
from emulator.testing import RunningEmulator
from emulator.tests.test_misdelivery import listen
from emulator.wire.faults import FaultScript, Rule, UnknownFaultError, make_fault, parse_fault


@pytest.mark.parametrize("spec", ["cut_mid_stream;after=3", "cut_mid_stream after=3", " cut_mid_stream ;after=3 "])
def test_reads_a_fault_in_both_spellings(spec: str) -> None:
    """Headers part by semicolon, prompts by blank."""
    fault = parse_fault(spec)

    assert (fault.name, fault.after()) == ("cut_mid_stream", 3)


def test_an_unknown_fault_is_refused_by_name() -> None:
    """A misspelt fault must not pass as no fault."""
    with pytest.raises(UnknownFaultError, match="cut_midstream"):
        parse_fault("cut_midstream")


def test_the_script_hands_out_faults_in_order_and_only_to_fitting_calls() -> None:
    """Provider, model and operation narrow a rule down; `skip` lets calls pass; `times` ends it."""
    script = FaultScript(1)
    script.add(Rule(make_fault("stall", {}), provider="yandex", model="lite"))
    script.add(Rule(make_fault("status", {"code": 503}), times=2, skip=1))

    assert script.take("gigachat", "chat", "GigaChat-2") is None
    first = script.take("yandex", "chat", "gpt://f/yandexgpt-lite")
    assert first is not None
    assert first.name == "stall"
    assert [bool(script.take("gigachat", "chat", "GigaChat-2")) for _ in range(3)] == [True, True, False]
    assert script.pending() == 0


def test_token_calls_are_hit_only_when_named() -> None:
    """A fault meant for generations does not break the token call before it."""
    script = FaultScript(1)
    script.add(Rule(make_fault("status", {}), provider="gigachat"))
    script.add(Rule(make_fault("stall", {}), operation="token"))

    fault = script.take("gigachat", "token", "")

    assert fault is not None
    assert fault.name == "stall"


def test_a_rule_with_a_chance_strikes_about_that_often_and_the_same_every_time() -> None:
    """The dice are seeded."""

    def struck() -> list[bool]:
        script = FaultScript(7)
        script.add(Rule(make_fault("status", {}), times=-1, chance=0.25))
        return [script.take("openai", "chat", "") is not None for _ in range(400)]

    assert struck() == struck()
    assert 60 < sum(struck()) < 140


def test_reads_all_directions_of_a_prompt() -> None:
    """Markers may stand anywhere; JSON of a call may hold brackets."""
    found = read_directions(
        'Привет [[tokens:50]] и [[chunks:20]] [[gap:1.5]] [[call:find {"list": [[1], [2]]}]] [[call:stop]]'
        " [[fault:status code=503 on=yandex]] [[cached:3]] [[text:ровно так]]"
    )

    assert (found.tokens, found.chunks, found.gap_ms, found.cached, found.text) == (50, 20, 1.5, 3, "ровно так")
    assert found.calls == [("find", {"list": [[1], [2]]}), ("stop", {})]
    assert found.fault is not None
    assert found.fault.args == {"code": "503", "on": "yandex"}


async def test_the_head_of_a_gzip_bomb_does_not_wait_for_its_body(emulator: RunningEmulator) -> None:
    """Ten terabytes are begun at once, so a client's verdict on the head never becomes a time-out."""
    heard = await listen(emulator, "gzip_bomb;mb=10000000", until=b"\r\n\r\n")

    assert heard.head.startswith("http/1.1 200")
    assert "content-encoding: gzip" in heard.head
