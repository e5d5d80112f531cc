"""The catalogue in force: reloads, overrides, channels, and what happens when a source is bad or away."""

from __future__ import annotations

import asyncio
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
import yaml
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from servicekit import postgres, redis
from servicekit.settings import PostgresSettings, RedisSettings
from servicekit.testing import FakeClock
from servicekit.testing.sampled import sampled
from services.router import metrics
from services.router.cache import ChannelCache
from services.router.catalog.files import SHIPPED, CatalogFiles
from services.router.catalog.live import LiveCatalog
from services.router.domain.catalog import Catalog, Model
from services.router.domain.overrides import Overrides
from services.router.store import RouterStore
from services.router.tests.adapters import NOBODY_DSN, NOBODY_REDIS
from tools.testing.plugin import MakeDatabase

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the shipped catalogue that a test may change."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "catalog", ignore=shutil.ignore_patterns("*.py", "__pycache__")))


def opened(folder: Path, pool: asyncpg.Pool[asyncpg.Record], client: Redis, clock: FakeClock) -> LiveCatalog:
    return LiveCatalog(CatalogFiles(folder, None), RouterStore(pool), ChannelCache(client), clock)


def model(live: LiveCatalog, name: str) -> Model:
    found = live.current().find(name)
    assert found is not None
    return found


def rewrite(file: Path, before: str, after: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")
    # A clock that ticks too coarsely must not hide the change.
    os.utime(file, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns + 1_000_000))


async def test_a_changed_file_counts_within_one_look(
    folder: Path, make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """No restart for a price; an untouched folder is not even read."""
    live = opened(folder, await make_database("router"), redis_client, clock)
    before = live.current()
    await live.look_at_files()
    assert live.current() is before

    rewrite(folder / "gigachat.yaml", "input: 0.065", "input: 0.07")
    await live.look_at_files()

    assert model(live, "gigachat").prices[-1].input_micro_rub_per_1k == 70_000
    assert live.current().version != before.version


async def test_what_a_model_stands_for_and_when_it_ends_is_exported(
    folder: Path, make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """An alarm rings a month before the last day, and a graph shows when a channel moved."""
    live = opened(folder, await make_database("router"), redis_client, clock)
    lite = model(live, "gigachat")
    labels = {"provider": "gigachat", "model": "gigachat"}
    assert REGISTRY.get_sample_value("razvilka_router_model_shutdown_timestamp_seconds", labels) is None

    rewrite(folder / "gigachat.yaml", "  - id: gigachat\n", "  - id: gigachat\n    shutdown_at: 2027-03-01T00:00:00Z\n")
    await live.look_at_files()

    ends_at = datetime(2027, 3, 1, tzinfo=UTC).timestamp()
    assert sampled("razvilka_router_model_shutdown_timestamp_seconds", **labels) == ends_at
    assert sampled("razvilka_router_model_resolved_info", **labels, resolved=lite.resolved_model) == 1
    live._publish(Catalog([], "of a provider that was taken out"))
    assert sampled("razvilka_router_catalog_models", provider="gigachat") == 0


@pytest.mark.parametrize(
    "damage",
    [
        "channels: [",
        "channels: 7",
        "provider: gigachat\nprovder: x",
        "",
        "provider: gigachat\nretrieved_at: 2026-02-30",
        pytest.param("[" * 5000, id="nested without end"),
    ],
)
async def test_a_bad_file_is_refused_and_the_last_good_catalogue_stays(
    folder: Path, make_database: MakeDatabase, redis_client: Redis, clock: FakeClock, damage: str
) -> None:
    """A typing error at noon must not stop the traffic."""
    live = opened(folder, await make_database("router"), redis_client, clock)
    before = live.current()
    good = (folder / "gigachat.yaml").read_text(encoding="utf-8")

    (folder / "gigachat.yaml").write_text(damage)
    await live.look_at_files()
    assert live.current() is before
    assert metrics.CATALOG_REFUSED.labels("files")._value.get() == 1
    (said,) = live.refused
    assert said.startswith("files refused, the last good state counts: gigachat.yaml: ")

    (folder / "gigachat.yaml").write_text(good.replace("input: 0.065", "input: 0.08"), encoding="utf-8")
    await live.look_at_files()
    assert model(live, "gigachat").prices[-1].input_micro_rub_per_1k == 80_000
    assert (live.refused, metrics.CATALOG_REFUSED.labels("files")._value.get()) == ([], 0)


async def test_a_file_that_cannot_be_looked_at_is_refused_as_a_bad_one(
    folder: Path, make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """A folder on a network that is away, a link to itself: the look after it finds the file again."""
    live = opened(folder, await make_database("router"), redis_client, clock)
    before, file = live.current(), folder / "gigachat.yaml"
    file.rename(folder / "kept")
    file.symlink_to(file)

    await live.look_at_files()
    assert live.current() is before
    (said,) = live.refused
    assert said.startswith("files refused, the last good state counts: gigachat.yaml: cannot be read")

    (folder / "kept").replace(file)
    await live.look_at_files()
    assert (live.current().version, live.refused) == (before.version, [])


async def test_a_file_without_the_price_of_a_model_that_a_channel_was_moved_to_is_refused(
    folder: Path, make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """Good by itself, it is no catalogue together with what an administrator ordered."""
    pool = await make_database("router")
    file, price = folder / "gigachat.yaml", "    prices: [{valid_from: 2025-01-01, input: 1, output: 1}]\n"
    spare = "  - id: spare\n    uri: Spare\n    context_length: 8192\n    listed: false\n"
    rewrite(file, "  - id: GigaChat-2\n", f"{spare}{price}  - id: GigaChat-2\n")
    live = opened(folder, pool, redis_client, clock)
    await pool.execute(
        "INSERT INTO router.channel_moves (channel, since, model, moved_by, moved_at)"
        " VALUES ('gigachat', $1, 'spare', 'somebody', $1)", NOW,
    )  # fmt: skip
    await live.look_at_overrides()
    assert model(live, "gigachat").resolved_model == "Spare"

    rewrite(file, spare + price, spare)
    await live.look_at_files()

    assert model(live, "gigachat").resolved_model == "Spare"
    assert live.refused == ["files refused, the last good state counts: gigachat: model 'spare' has no price"]


async def test_overrides_count_and_bad_ones_are_left_out(
    folder: Path, make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """The administrator's word counts before the file's; one bad row spoils only itself."""
    pool = await make_database("router")
    live = opened(folder, pool, redis_client, clock)
    for model_id, patch in {"gigachat-max": '{"enabled": false}', "gigachat-pro": '{"nmae": "x"}'}.items():
        await pool.execute(
            "INSERT INTO router.model_overrides (model_id, patch, updated_at) VALUES ($1, $2, $3)",
            model_id, patch, NOW,
        )  # fmt: skip
    await pool.execute(
        "INSERT INTO router.price_history (model_id, valid_from, input, output, updated_at)"
        " VALUES ('gigachat', $1, 0.1, 0.1, $1)", NOW,
    )  # fmt: skip

    await live.look_at_overrides()

    assert live.refused == ["overrides refused, the last good state counts: gigachat-pro: nmae: unknown field"]
    assert not model(live, "gigachat-max").enabled
    assert model(live, "gigachat-pro").enabled
    assert model(live, "gigachat").prices[-1].input_micro_rub_per_1k == 100_000


async def test_a_file_that_an_order_cannot_stand_with_is_refused_until_it_is_mended(
    folder: Path, make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """Good by itself, as nobody is shown the model that a channel was moved to; no file was looked at ever after."""
    file, pool = folder / "gigachat.yaml", await make_database("router")
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    newest = {**next(each for each in document["models"] if each["id"] == "GigaChat-2-Max"), "id": "GigaChat-3"}
    document["models"].append(newest)
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    live = opened(folder, pool, redis_client, clock)
    await pool.execute(
        "INSERT INTO router.channel_moves (channel, since, model, moved_by, moved_at)"
        " VALUES ('gigachat-max', $1, 'GigaChat-3', 'admin', $1)", NOW - timedelta(days=1),
    )  # fmt: skip
    await live.look_at_overrides()
    good = live.current()

    newest["successor"] = "nobody"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    await live.look_at_files()

    assert live.current() is good
    assert "succeeded by unknown 'nobody'" in live.refused[0]
    newest["successor"], newest["context_length"] = "gigachat-pro", 4096
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    await live.look_at_files()
    assert model(live, "gigachat-max").context_length == 4096
    assert live.refused == []


class HesitantStore(RouterStore):
    """What it has read first it hands out only when it may."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        super().__init__(pool)
        self.has_read, self.may_answer = asyncio.Event(), asyncio.Event()

    async def find_overrides(self) -> Overrides:
        found = await super().find_overrides()
        if not self.has_read.is_set():
            self.has_read.set()
            await self.may_answer.wait()
        return found


async def test_an_older_answer_never_takes_the_place_of_a_newer_one(
    folder: Path, make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """A look that comes with an administrator's order may meet the one that comes every few seconds."""
    pool = await make_database("router")
    store = HesitantStore(pool)
    live = LiveCatalog(CatalogFiles(folder, None), store, ChannelCache(redis_client), clock)
    first = asyncio.create_task(live.look_at_overrides())
    await store.has_read.wait()
    await pool.execute(
        "INSERT INTO router.model_overrides (model_id, patch, updated_at) VALUES ('gigachat-max', $1, $2)",
        '{"enabled": false}', NOW,
    )  # fmt: skip

    second = asyncio.create_task(live.look_at_overrides())
    # As long as a look takes that waits for nobody; a shorter pause only makes this prove less.
    await asyncio.wait([second], timeout=0.5)
    store.may_answer.set()
    await asyncio.gather(first, second)

    assert not model(live, "gigachat-max").enabled


async def test_channels_are_noted_in_redis_with_the_day_they_moved(
    folder: Path, make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """Every replica and every restart knows since when a channel stands for its model."""
    pool = await make_database("router")
    live = opened(folder, pool, redis_client, clock)
    await live.look_at_channels()
    first = clock.now()
    assert live.resolved_at("yandexgpt:latest") == first
    switch = (first + timedelta(days=1)).date().isoformat()
    rewrite(
        folder / "yandexgpt.yaml",
        "    periods:\n      - {since: 2025-02-25, model: yandexgpt-5-pro}\n  - id: yandexgpt:rc",
        "    periods:\n      - {since: 2025-02-25, model: yandexgpt-5-pro}\n"
        f"      - {{since: {switch}, model: yandexgpt-5.1}}\n  - id: yandexgpt:rc",
    )
    await live.look_at_files()

    clock.advance(36 * 3600)
    await live.look_at_overrides()
    await live.look_at_channels()

    assert model(live, "yandexgpt").resolved_model == "yandexgpt-5.1"
    peer = opened(folder, pool, redis_client, clock)
    clock.advance(3600)
    await peer.look_at_channels()
    assert peer.resolved_at("yandexgpt:latest") == first + timedelta(hours=36)
    assert peer.resolved_at("yandexgpt:rc") == first


async def test_everything_goes_on_without_postgresql_and_redis(folder: Path, clock: FakeClock) -> None:
    """The files are enough."""
    async with (
        postgres.open_pool(PostgresSettings(dsn=NOBODY_DSN)) as pool,
        redis.open_redis(RedisSettings(url=NOBODY_REDIS)) as client,
    ):
        live = opened(folder, pool, client, clock)
        await live.look_at_overrides()
        await live.look_at_channels()

    assert live.resolved_at("yandexgpt:latest") == clock.now()
