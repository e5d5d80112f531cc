"""What administrators order of the catalogue, on a real PostgreSQL: it counts, it stays; mistakes do not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from servicekit.errors import InvalidRequest, NotFound, ServiceError
from servicekit.testing import FakeClock
from services.router.cache import ChannelCache
from services.router.catalog.administration import CatalogAdministration, patch_of
from services.router.catalog.files import CatalogFiles
from services.router.catalog.live import LiveCatalog
from services.router.domain.catalog import Model, Price
from services.router.domain.overrides import Move
from services.router.store import Pool, RouterStore
from tools.testing.plugin import MakeDatabase

BY = "user:admin-1"


class Office:
    """Orders, and the catalogue in which they count."""

    def __init__(self, pool: Pool, client: Redis, clock: FakeClock) -> None:
        self.pool = pool
        self.clock = clock
        store = RouterStore(pool)
        self.live = LiveCatalog(CatalogFiles(None, None), store, ChannelCache(client), clock)
        self.orders = CatalogAdministration(self.live, store, self.live.look_at_overrides, clock)

    def model(self, name: str) -> Model:
        found = self.live.current().find(name)
        assert found is not None
        return found

    def day(self, number: int) -> datetime:
        """Return a midnight to come."""
        return (self.clock.now() + timedelta(days=number)).replace(hour=0, minute=0, second=0, microsecond=0)

    async def rows(self) -> int:
        tables = ("model_overrides", "override_history", "price_history", "channel_moves")
        return sum([await self.pool.fetchval(f"SELECT count(*) FROM router.{table}") for table in tables])


@pytest.fixture
async def office(make_database: MakeDatabase, redis_client: Redis, clock: FakeClock) -> Office:
    """Give the shipped catalogue and an empty database."""
    return Office(await make_database("router"), redis_client, clock)


def price(valid_from: datetime, amount: int = 90_000) -> Price:
    return Price("", amount, 2 * amount, 0, valid_from)


async def test_a_model_is_switched_off_and_on_again_and_both_are_kept(office: Office) -> None:
    """By any of its names; the history says who."""
    await office.orders.set_override("gigachat/max", {"enabled": False}, BY)
    assert not office.model("gigachat-max").enabled
    await office.orders.remove_override("gigachat-max", "user:admin-2")
    assert office.model("gigachat-max").enabled

    overrides, history = await office.orders.overrides()
    assert overrides == []
    assert [(order.model, order.patch, order.ordered.by) for order in history] == [
        ("gigachat-max", None, "user:admin-2"),
        ("gigachat-max", {"enabled": False}, BY),
    ]


async def test_a_price_counts_for_the_model_and_its_channels_from_its_day_on(office: Office) -> None:
    """Before it is there, as something to come: gateways hold and charge by the day."""
    day = office.day(3)
    before = office.model("yandexgpt:latest").prices

    await office.orders.add_price("yandexgpt-5-pro", price(day), "contract 17", BY)

    *others, new = office.model("yandexgpt:latest").prices
    assert others == list(before)
    assert (new.valid_from, new.version) == (day, f"yandexgpt-5-pro@{day:%Y-%m-%d}")
    assert (new.input_micro_rub_per_1k, new.output_micro_rub_per_1k, new.cached_micro_rub_per_1k) == (
        90_000,
        180_000,
        0,
    )
    listed = await office.orders.prices("yandexgpt-5-pro")
    assert [order.ordered is None for order in listed] == [True] * (len(listed) - 1) + [False]
    assert (listed[-1].price, listed[-1].source) == (new, "contract 17")


async def test_a_channel_moves_on_its_day_and_has_the_price_of_its_new_model(office: Office) -> None:
    """Known before, so that every gateway charges right from the first moment."""
    day = office.day(2)

    assert await office.orders.move_channel("yandexgpt", Move(day, "yandexgpt-5.1"), BY) == "yandexgpt:latest"

    channel = office.model("yandexgpt:latest")
    assert channel.resolved_model == office.model("yandexgpt:deprecated").resolved_model
    assert (channel.prices[-1].valid_from, channel.prices[-1].version.split("@")[0]) == (day, "yandexgpt-5.1")
    office.clock.advance(3 * 86_400)
    await office.live.look_at_overrides()
    assert office.model("yandexgpt:latest").resolved_model == office.model("yandexgpt:rc").resolved_model
    row = await office.pool.fetchrow("SELECT channel, model, since, moved_by FROM router.channel_moves")
    assert row is not None
    assert tuple(row) == ("yandexgpt:latest", "yandexgpt-5.1", day, BY)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("gigachat", {"nmae": "x"}, "nmae"),
    ("gigachat", {"fallbacks": ["gigachat-pro"]}, "fallbacks"),
    ("gigachat", {"enabled": "no"}, "enabled"),
    ("gigachat", {"canary": {"model": "gigachat-pro", "percent": 101}}, "canary"),
    ("gigachat", {"canary": {"model": "gigachad", "percent": 1}}, "canary.model"),
    ("gigachat", {"successor": "gigachad"}, "successor"),
    ("gigachat", {"shutdown_at": "soon"}, "shutdown_at"),
    ("gigachat", {}, "patch"),
    ("gigachad", {"enabled": False}, "model"),
]


async def test_an_override_that_no_file_could_have_is_refused(office: Office) -> None:
    """With its field, and nothing of it is kept."""
    for name, patch, param in REFUSED:
        with pytest.raises(ServiceError) as caught:
            await office.orders.set_override(name, patch, BY)
        assert caught.value.param == param

    assert await office.rows() == 0


async def test_prices_are_never_rewritten(office: Office) -> None:
    """Neither what has counted, nor what is to come, nor by the service, nor by SQL."""
    day = office.day(3)
    await office.orders.add_price("GigaChat-2", price(day), "", BY)
    now = office.clock.now()
    wrong = {
        "valid_from": [price(now - timedelta(days=1)), price(now + timedelta(seconds=59)), price(day)],
        "input": [price(office.day(4), -1), price(office.day(4), 10_000_000_000)],
    }
    for param, prices in wrong.items():
        for each in prices:
            with pytest.raises(InvalidRequest) as caught:
                await office.orders.add_price("GigaChat-2", each, "", BY)
            assert caught.value.param == param
    with pytest.raises(InvalidRequest, match="already"):
        await office.orders.add_price("GigaChat-2", price(day + timedelta(hours=5)), "", BY)

    assert await office.rows() == 1
    for statement in ("UPDATE router.price_history SET input = 0", "DELETE FROM router.price_history"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await office.pool.execute(statement)


async def test_moves_that_lead_nowhere_are_refused(office: Office) -> None:
    """Each with its field."""
    day = office.day(2)
    await office.orders.move_channel("yandexgpt:latest", Move(day, "yandexgpt-5.1"), BY)
    wrong = [
        ("yandexgtp", Move(day, "yandexgpt-5.1"), "channel"),
        ("yandexgpt", Move(day, "GigaChat-2"), "model"),
        ("yandexgpt", Move(day, "yandexgpt-5-pro"), "since"),
        ("yandexgpt", Move(office.clock.now(), "yandexgpt-5.1"), "since"),
    ]
    for channel, move, param in wrong:
        with pytest.raises(ServiceError) as caught:
            await office.orders.move_channel(channel, move, BY)
        assert caught.value.param == param

    assert await office.rows() == 1


async def test_a_move_to_a_model_that_left_the_files_is_left_out_and_named(office: Office) -> None:
    """The rest of the orders count all the same."""
    statement = (
        "INSERT INTO router.channel_moves (channel, since, model, moved_by, moved_at) VALUES ($1, $2, $3, '', $2)"
    )
    await office.pool.execute(statement, "yandexgpt:latest", datetime(2026, 1, 1, tzinfo=UTC), "gone")
    await office.orders.set_override("gigachat-max", {"enabled": False}, BY)

    assert not office.model("gigachat-max").enabled
    (said,) = office.live.refused
    assert "yandexgpt:latest: there is no model 'gone'" in said


async def test_what_is_not_there_is_not_found(office: Office) -> None:
    """An override that nobody ordered, the price of a channel."""
    for asked in (office.orders.remove_override("gigachat", BY), office.orders.prices("yandexgpt:latest")):
        with pytest.raises(NotFound) as caught:
            await asked
        assert caught.value.param == "model"


@pytest.mark.parametrize("text", [b"", b"[]", b"{"])
def test_a_patch_is_a_json_object(text: bytes) -> None:
    """Nothing else can be kept."""
    with pytest.raises(InvalidRequest) as caught:
        patch_of(text)
    assert caught.value.param == "patch"
