"""When the catalogue changes: channels at their very moment, files as soon as they can be taken over."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from servicekit import postgres, redis
from servicekit.settings import PostgresSettings, RedisSettings
from servicekit.testing import FakeClock
from services.router.cache import ChannelCache
from services.router.catalog.build import CatalogError
from services.router.catalog.files import SHIPPED, CatalogFiles, Files
from services.router.catalog.live import LiveCatalog
from services.router.domain.canary import price_at
from services.router.store import RouterStore
from services.router.tests.adapters import NOBODY_DSN, NOBODY_REDIS


class HiddenFiles(CatalogFiles):
    """Files that are not to be read for as long as they are `hidden`, which their stamps do not show."""

    hidden = False

    def read(self) -> Files:
        if self.hidden:
            raise CatalogError("yandexgpt.yaml: cannot be read: Permission denied")
        return super().read()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the shipped catalogue that a test may change."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "catalog", ignore=shutil.ignore_patterns("*.py", "__pycache__")))


@asynccontextmanager
async def opened(files: CatalogFiles, clock: FakeClock) -> AsyncIterator[LiveCatalog]:
    """Yield the catalogue of these files, without PostgreSQL and Redis."""
    async with (
        postgres.open_pool(PostgresSettings(dsn=NOBODY_DSN)) as pool,
        redis.open_redis(RedisSettings(url=NOBODY_REDIS)) as client,
    ):
        yield LiveCatalog(files, RouterStore(pool), ChannelCache(client), clock)


async def test_a_channel_moves_at_the_moment_at_which_its_price_does(folder: Path, clock: FakeClock) -> None:
    """Gateways take the other model's price from that moment on: for seconds the one before answered at it."""
    file = folder / "yandexgpt.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    channel = next(each for each in document["channels"] if each["id"] == "yandexgpt:latest")
    moves_at = clock.now() + timedelta(hours=1)
    channel["periods"].append({"since": moves_at, "model": "yandexgpt-5.1"})
    file.write_text(yaml.safe_dump(document), encoding="utf-8")

    async with opened(CatalogFiles(folder, None), clock) as live:
        seen = []
        for seconds in (3599.999, 0.001, 3600.0):
            clock.advance(seconds)
            model = live.current().find("yandexgpt")
            assert model is not None
            price = price_at(model, clock.now())
            assert price is not None
            seen.append((model.resolved_model.partition("/")[0], price.version.partition("@")[0]))

    assert seen == [("yandexgpt-5-pro",) * 2, ("yandexgpt-5.1",) * 2, ("yandexgpt-5.1",) * 2]


async def test_a_file_that_could_not_be_read_for_a_moment_is_read_when_it_can_be(
    folder: Path, clock: FakeClock
) -> None:
    """Its rights are mended, which changes neither its time nor its size: it was never looked at again."""
    files = HiddenFiles(folder, None)
    async with opened(files, clock) as live:
        file, before = folder / "yandexgpt.yaml", live.current()
        file.write_text(file.read_text(encoding="utf-8") + "# the prices of tomorrow\n", encoding="utf-8")
        (folder / "gigachat.yaml").write_text(
            (folder / "gigachat.yaml").read_text(encoding="utf-8").replace("input: 0.065", "input: 0.0701"),
            encoding="utf-8",
        )
        files.hidden = True
        for _ in range(2):
            await live.look_at_files()
            assert (live.current() is before, len(live.refused)) == (True, 1)

        files.hidden = False
        await live.look_at_files()

        model = live.current().find("gigachat")
        assert model is not None
        assert (model.prices[-1].input_micro_rub_per_1k, live.refused) == (70_100, [])
