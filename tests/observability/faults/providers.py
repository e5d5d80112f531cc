"""Faults of providers, of what they are told, and of what we believe of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from tests.observability.scene import Scene, fault


@fault(
    "ProviderDown",
    "CircuitOpen",
    "AvailabilityBurnsFast",
    "AvailabilityBurnsSlowly",
    done="GigaChat answers everything with 500",
    mended="it answers again, and the provider is reset",
)
def gigachat_fails(scene: Scene) -> Iterator[None]:
    scene.providers.fail("status", provider="gigachat", code=500, times=-1)
    scene.meanwhile = lambda: scene.ask("gigachat-max")
    yield
    scene.bring_back("gigachat")


@fault(
    "ProbeFails",
    done="GigaChat answers everything with 500, and nobody asks it",
    mended="it answers again, and the provider is reset",
)
def nobody_notices(scene: Scene) -> Iterator[None]:
    scene.providers.fail("status", provider="gigachat", code=500, times=-1)
    yield
    scene.bring_back("gigachat")


@fault("ProbesRefused", done="the file of the probes' key has another word", mended="the key is put back")
def probes_lose_their_key(scene: Scene) -> Iterator[None]:
    file = scene.stack.parts.home.probe_key
    key = file.read_text()
    file.write_text("rz_live_nobody")
    yield
    file.write_text(key)


@fault(
    "CircuitFlapping",
    done="a model breaks, recovers and breaks again",
    mended="it stays well",
)
def a_model_flaps(scene: Scene) -> Iterator[None]:
    for _ in range(8):
        scene.providers.fail("status", provider="gigachat", code=500, times=-1)
        for _ in range(6):
            scene.ask("gigachat-max")
        scene.bring_back("gigachat")
    yield


@fault(
    "FirstTokenBurnsFast",
    "FirstTokenBurnsSlowly",
    done="YandexGPT begins to speak after three seconds",
    mended="it begins at once again",
)
def yandexgpt_is_slow(scene: Scene) -> Iterator[None]:
    scene.providers.fail("latency", provider="yandex", ms=3000, times=-1)
    scene.meanwhile = lambda: scene.ask("yandexgpt-lite", stream=True)
    yield
    scene.providers.reset()


@fault(
    "NoHealthyProvider",
    "ForgottenDrain",
    done="an administrator drains both providers, and forgets it",
    mended="the drains are taken back",
)
def everything_is_drained(scene: Scene) -> Iterator[None]:
    for provider in ("gigachat", "yandexgpt"):
        scene.order(f"providers/{provider}/drain", {"reason": "maintenance"})
    scene.meanwhile = lambda: scene.ask("gigachat-max")
    yield
    for provider in ("gigachat", "yandexgpt"):
        scene.order(f"providers/{provider}/undrain", {})


@fault(
    "CredentialRefused",
    done="YandexGPT refuses our key",
    mended="the key is good again, and the provider is reset",
)
def a_key_is_refused(scene: Scene) -> Iterator[None]:
    scene.providers.fail("status", provider="yandex", code=401, times=-1)
    for _ in range(4):
        scene.ask("yandexgpt-lite")
    yield
    scene.bring_back("yandexgpt")


@fault("AccountSpent", done="GigaChat's package is spent (402)", mended="it was paid for, and the provider is reset")
def an_account_is_spent(scene: Scene) -> Iterator[None]:
    scene.providers.fail("status", provider="gigachat", code=402, times=-1)
    scene.ask("gigachat-max")
    yield
    scene.bring_back("gigachat")


@fault(
    "TokenRefreshFails",
    done="GigaChat's tokens end, and its token service is down",
    mended="the token service answers again",
)
def no_tokens(scene: Scene) -> Iterator[None]:
    scene.providers.expire_tokens()
    scene.providers.fail("status", provider="gigachat", operation="token", code=500, times=-1)
    scene.meanwhile = lambda: scene.ask("gigachat-max")
    yield
    scene.bring_back("gigachat")


@fault(
    "ModelEnds",
    done="an administrator dates the end of a model that is used in two weeks",
    mended="the date is taken back",
)
def a_model_ends(scene: Scene) -> Iterator[None]:
    ends_at = (datetime.now(UTC) + timedelta(days=14)).isoformat()
    scene.order("catalog/overrides/gigachat-max", {"shutdown_at": ends_at}, method="PUT")
    scene.meanwhile = lambda: scene.ask("gigachat-max")
    yield
    scene.order("catalog/overrides/gigachat-max", method="DELETE")


@fault("CatalogRefused", done="the file of upstreams is torn", mended="it is written whole")
def a_torn_file(scene: Scene) -> Iterator[None]:
    file = scene.stack.parts.home.root / "upstreams.yaml"
    good = file.read_text()
    file.write_text(good + "  - [")
    yield
    file.write_text(good)


@fault(
    "SlotLineRefuses",
    "SlotLineLong",
    done="ten callers at once want the only slot of a slow provider, whose line has two places",
    mended="the provider is fast again",
)
def a_line_is_full(scene: Scene) -> Iterator[None]:
    scene.providers.fail("latency", provider="gigachat", ms=2500, times=-1)
    scene.meanwhile = lambda: scene.ask_at_once(10, "gigachat-max")
    yield
    scene.providers.reset()
    scene.meanwhile = lambda: scene.ask("gigachat-max")
