"""Further models of the shipped providers, with a price from configuration; each is asked at the emulator."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from razvilka.router.v1 import router_pb2 as pb

from emulator.testing import YANDEX_FOLDER, RunningEmulator, running_emulator
from servicekit import rpc_client
from servicekit.errors import NotFound, ServiceError
from services.router.catalog.build import CatalogError, build_catalog
from services.router.catalog.files import CatalogFiles
from services.router.tests.adapters import LONG_S, NOW, found
from services.router.tests.running_router import Stub, complete, prompt, router

PRICE = {"valid_from": "2026-01-01", "input": 1.5, "output": 2.25, "source": "contract 17"}
ULTRA = {
    "provider": "gigachat",
    "id": "GigaChat-3-Ultra",
    "aliases": ["gigachat-ultra"],
    "context_length": 262144,
    "max_output_tokens": 8192,
    "features": ["streaming", "tools"],
    "prices": [PRICE],
}
TUNED = {
    **ULTRA,
    "provider": "yandexgpt",
    "id": "our-lawyer",
    "aliases": [],
    "uri": "yandexgpt-lite/latest@tamrmgia22979l05igkj4",
    "surface": "native",
    "context_length": 32768,
}
DEEPSEEK = {**TUNED, "id": "deepseek", "uri": "deepseek-v4.1-flash", "surface": "openai", "features": ["streaming"]}


def written(folder: Path, *models: dict[str, Any]) -> Path:
    file = folder / "extra.yaml"
    file.write_text(yaml.safe_dump({"models": [*models]}))
    return file


@pytest.mark.parametrize("extra", [ULTRA, TUNED, DEEPSEEK], ids=lambda extra: extra["id"])
async def test_a_further_model_answers_at_its_price(
    emulator: RunningEmulator, tmp_path: Path, extra: dict[str, Any]
) -> None:
    """Under its id and alias, with what the provider is asked for, and the price of the file."""
    async with router(emulator, extra_models_file=written(tmp_path, extra)) as stub:
        for name in (extra["id"], *extra["aliases"]):
            answer = await complete(stub, prompt(name, "[[text:да]]"))
            assert (answer.choices[0].content, answer.route.model) == ("да", extra["id"])
        listed = await models(stub)

    (price,) = listed[extra["id"]].prices
    assert (price.input_micro_rub_per_1k, price.output_micro_rub_per_1k) == (1_500_000, 2_250_000)
    assert "temperature" in listed[extra["id"]].supported_parameters


@pytest.mark.parametrize("written_as", ["2027-01-31", "2027-01-31 00:00:00", "2027-01-31T03:00:00+03:00"])
def test_a_day_between_quotes_is_a_day_of_utc(tmp_path: Path, written_as: str) -> None:
    """As one without: otherwise no model would be listed, for it cannot be told whether this one has ended."""
    extra = {**TUNED, "shutdown_at": written_as, "prices": [PRICE, {**PRICE, "valid_from": written_as}]}
    files = CatalogFiles(None, None, written(tmp_path, extra)).read()

    model = found(str(TUNED["id"]), build_catalog(files.documents, files.upstreams, NOW))

    day = datetime(2027, 1, 31, tzinfo=UTC)
    assert [model.is_served(moment) for moment in (NOW, day)] == [True, False]
    assert [price.valid_from for price in model.prices] == [datetime(2026, 1, 1, tzinfo=UTC), day]


def test_a_day_beyond_the_calendar_is_refused_by_its_field(tmp_path: Path) -> None:
    """UTC has no year 10000."""
    file = written(tmp_path, {**TUNED, "shutdown_at": "9999-12-31T23:59:59-12:00"})

    with pytest.raises(CatalogError, match=r"shutdown_at: .*the years 1 and 9999"):
        CatalogFiles(None, None, file).read()


async def models(stub: Stub) -> dict[str, pb.Model]:
    answer = await rpc_client.unary(stub.rpcs.ListModels, pb.ListModelsRequest(), deadline_s=LONG_S)
    return {model.id: model for model in answer.models}


@pytest.mark.parametrize(
    ("uri", "sent"),
    [
        ("yandexgpt-lite/latest@tamr1", f"gpt://{YANDEX_FOLDER}/yandexgpt-lite/latest@tamr1"),
        ("gpt://b1ganother/yandexgpt-lite/latest@tamr1", "gpt://b1ganother/yandexgpt-lite/latest@tamr1"),
        ("ds://bt1abcdef", "ds://bt1abcdef"),
    ],
)
async def test_an_address_of_a_tuned_model_is_sent_as_it_stands(tmp_path: Path, uri: str, sent: str) -> None:
    """The folder is put before a name only. Whether it exists is the provider's to say."""
    async with running_emulator(ground_truth_bodies=True) as emulator:
        async with router(emulator, extra_models_file=written(tmp_path, {**TUNED, "uri": uri})) as stub:
            with contextlib.suppress(ServiceError):
                await complete(stub, prompt("our-lawyer"))
        calls = await emulator.control.ground_truth(provider="yandex")

    assert sent in str(calls[-1])


async def test_a_file_that_changes_counts_without_a_restart(emulator: RunningEmulator, tmp_path: Path) -> None:
    """As the catalogue's own files."""
    file = written(tmp_path, ULTRA)
    async with router(emulator, extra_models_file=file, reload_s=0.02) as stub:
        with pytest.raises(NotFound):
            await complete(stub, prompt("our-lawyer"))
        written(tmp_path, ULTRA, TUNED)
        async with asyncio.timeout(LONG_S):
            while "our-lawyer" not in await models(stub):
                await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"provider": "yandex"}, r"extra\.yaml: models\.0\.provider: 'yandex' is none of gigachat, yandexgpt"),
        ({"prices": []}, r"extra\.yaml: models\.0\.prices"),
        ({"prices": [{**PRICE, "input": -1}]}, r"extra\.yaml: models\.0\.prices\.0\.input"),
        ({"context_length": 0}, r"extra\.yaml: models\.0\.context_length"),
        ({"window": 5}, r"extra\.yaml: models\.0\.window"),
        ({"id": "gigachat-2-max"}, r"extra\.yaml: models\.0\.id: 'gigachat-2-max' is in the catalogue already"),
    ],
)
def test_a_bad_file_is_named_with_its_field(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    """At the start; a running router keeps the last good one."""
    with pytest.raises(CatalogError, match=said):
        CatalogFiles(None, None, written(tmp_path, {**ULTRA, **changed})).read()


async def test_a_bad_file_stops_the_start(emulator: RunningEmulator, tmp_path: Path) -> None:
    """Also one that contradicts the catalogue: a name that stands for two models."""
    file = written(tmp_path, {**ULTRA, "aliases": ["gigachat-max"]})
    with pytest.raises(SystemExit, match="gigachat-max"):
        async with router(emulator, extra_models_file=file):
            pass


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """Not a catalogue without its models."""
    with pytest.raises(CatalogError, match=r"none\.yaml: cannot be read"):
        CatalogFiles(None, None, tmp_path / "none.yaml").read()
