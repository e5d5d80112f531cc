"""GigaChat's prompt cache: one session a conversation and tenant, which tells nobody anything."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from emulator.testing import RunningEmulator
from services.router.domain.completion import Message, Prompt, Role
from services.router.providers.gigachat.session import SessionIds
from services.router.tests.adapters import MODELS, Adapters, ask, call_for, model, obtain, user

IDS, MODEL = SessionIds("secret"), MODELS["gigachat"]
SYSTEM = Message(Role.SYSTEM, "Ты проводник по стоянкам.")
FIRST = ask(messages=[SYSTEM, user("Где вода?")], tenant="alice")
SECOND = replace(FIRST, messages=[*FIRST.messages, Message(Role.ASSISTANT, "У реки."), user("А дрова?")])
KEYED = {"prompt_cache_key": b'"agent"'}


def session(prompt: Prompt, **changes: Any) -> str:
    return IDS.of(replace(prompt, **changes), MODEL)


def test_turns_of_a_conversation_share_a_session() -> None:
    """Whatever else the request says; another replica says the same."""
    assert session(FIRST) == session(SECOND) == session(SECOND, temperature=0.1)
    assert SessionIds("secret").of(FIRST, MODEL) == session(FIRST)


def test_the_caller_s_own_key_steers_it() -> None:
    """Conversations with one key share a session, those with another do not."""
    other = ask("Совсем о другом", tenant="alice", other_json=KEYED)

    assert session(FIRST, other_json=KEYED) == session(other)
    assert session(FIRST, other_json={"prompt_cache_key": b'"other"'}) != session(other)
    assert session(FIRST, other_json=KEYED) != session(FIRST)


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant": "bob"},
        {"messages": [SYSTEM, user("Где дрова?")]},
        {"messages": [replace(SYSTEM, content="Ты повар."), user("Где вода?")]},
        {"messages": [user("Ты проводник по стоянкам."), user("Где вода?")]},
    ],
    ids=["tenant", "first message", "system message", "role"],
)
@pytest.mark.parametrize("more", [{}, {"other_json": KEYED}], ids=["by beginning", "by key"])
def test_others_have_other_sessions(changes: dict[str, Any], more: dict[str, Any]) -> None:
    """A key of the caller's own is told apart by tenant, too."""
    differs = session(FIRST, **more) != session(FIRST, **changes, **more)

    assert differs == (not more or "tenant" in changes)


def test_another_model_has_another_session() -> None:
    """Each has a cache of its own."""
    assert IDS.of(FIRST, model("gigachat-pro")) != session(FIRST)


def test_an_unknown_tenant_has_no_session() -> None:
    """Strangers never share one."""
    assert session(FIRST, tenant="") == ""


@pytest.mark.parametrize("stream", [False, True])
async def test_the_second_turn_is_cached_and_says_so(
    adapters: Adapters, emulator: RunningEmulator, stream: bool
) -> None:
    """People paid for all of it; the provider sees a UUID and no name. A stranger's turn is not cached."""
    heard = [
        await obtain(adapters.gigachat, prompt, call_for("gigachat"), stream=stream)
        for prompt in (FIRST, SECOND, replace(SECOND, tenant="bob"))
    ]
    seen = [entry["session_id"] for entry in await emulator.control.ground_truth(operation="chat")]

    first, second, stranger = (each.usage for each in heard)
    assert first is not None
    assert second is not None
    assert stranger is not None
    assert (first.cached_tokens, second.cached_tokens, stranger.cached_tokens) == (0, first.prompt_tokens, 0)
    assert second.prompt_tokens == stranger.prompt_tokens
    assert seen[0] == seen[1] != seen[2]
    assert [str(UUID(each)) for each in seen] == seen


def test_cached_tokens_have_the_catalogue_s_price() -> None:
    """GigaChat's cost nothing."""
    assert {price.cached_micro_rub_per_1k for price in MODEL.prices} == {0}
