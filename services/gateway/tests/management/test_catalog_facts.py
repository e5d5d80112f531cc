"""Usage is told what the catalogue says: at the start, on each change, and again when it was not heard."""

import asyncio

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import StartGateway
from services.gateway.tests.router_backend import MODELS, PRICE, model

LONG_S = 30


async def told(backends: Backends):
    """Return what usage is told next."""
    return await asyncio.wait_for(backends.catalog_facts.told.get(), LONG_S)


async def test_usage_is_told_the_catalogue_at_the_start(start_gateway: StartGateway, backends: Backends):
    """With prices, window and end of each model."""
    await start_gateway(catalog_refresh_s=0.02)

    said = {each.model: each for each in (await told(backends)).models}

    assert said.keys() == {each.id for each in MODELS}
    ending = said["yandexgpt:deprecated"]
    assert (ending.family, ending.version, ending.successor) == ("yandexgpt", "deprecated", "yandexgpt:latest")
    assert ending.shutdown_at.seconds == 4_000_000_000
    assert ending.prices[0].cached_micro_rub_per_1k == PRICE.cached_micro_rub_per_1k
    assert not said["gigachat-pro"].HasField("shutdown_at")


async def test_usage_is_told_again_when_the_catalogue_changed(start_gateway: StartGateway, backends: Backends):
    """And only then."""
    await start_gateway(catalog_refresh_s=0.02)
    await told(backends)
    backends.router.models.append(model("brand-new"))

    backends.router.version = "2"

    assert "brand-new" in {each.model for each in (await told(backends)).models}
    assert backends.catalog_facts.told.empty()


async def test_usage_that_was_away_is_told_later(start_gateway: StartGateway, backends: Backends):
    """What it did not hear is not forgotten."""
    backends.catalog_facts.failure = Unavailable(ErrorReason.DATABASE_ERROR, "away")

    await start_gateway(catalog_refresh_s=0.02)

    assert (await told(backends)).models
    assert backends.catalog_facts.failure is None


async def test_of_two_gateways_each_change_is_told(start_gateway: StartGateway, backends: Backends, tmp_path):
    """Both may tell; one after the other, and the last is the newest."""
    await start_gateway(catalog_refresh_s=0.02)
    await start_gateway(catalog_refresh_s=0.02, journal_dir=tmp_path / "other")

    first, second = await told(backends), await told(backends)

    assert first == second
