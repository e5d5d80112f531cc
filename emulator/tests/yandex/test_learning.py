"""Yandex's datasets, tuning and batches: work in the background over lines that were uploaded."""

import hashlib
import json
from typing import Any

import pytest

from emulator.testing import YANDEX_FOLDER
from emulator.tests.yandex_services import Services
from emulator.yandex.learning.parquet import parquet
from emulator.yandex.resources.storage import etag

GPT = f"gpt://{YANDEX_FOLDER}/yandexgpt-lite/latest"
PAIRS = [{"anchor": "река", "positive": "вода"}]
ANSWERED = [{"request": [{"role": "user", "text": "привет"}], "response": "и вам"}]


def lines(rows: list[Any]) -> bytes:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


async def draft(services: Services, task_type: str) -> str:
    made = await services.ask("DatasetService.Create", name="стоянки", taskType=task_type, uploadFormat="jsonlines")
    return str(made["datasetId"])


async def dataset(services: Services, task_type: str, data: bytes) -> dict[str, Any]:
    """Upload lines and validate them; return the verdict."""
    dataset_id = await draft(services, task_type)
    where = await services.ask("DatasetService.GetUploadDraftUrl", datasetId=dataset_id, sizeBytes=str(len(data)))
    await services.put(where["uploadUrl"], data)
    return await services.done(await services.ask("DatasetService.Validate", datasetId=dataset_id))


async def test_a_dataset_is_ready_when_its_validation_ends(services: Services) -> None:
    """Until then it says that it is looked through."""
    dataset_id = await draft(services, "TextEmbeddingsPair")
    where = await services.ask("DatasetService.GetUploadDraftUrl", datasetId=dataset_id)
    await services.put(where["uploadUrl"], lines(PAIRS))
    await services.ask("DatasetService.Validate", datasetId=dataset_id)

    early = await services.ask("DatasetService.Describe", datasetId=dataset_id)
    services.clock[0] += 10
    late = await services.ask("DatasetService.Describe", datasetId=dataset_id)

    assert (early["dataset"]["status"], late["dataset"]["status"]) == ("VALIDATING", "READY")
    assert (late["dataset"]["rows"], late["dataset"]["sizeBytes"]) == ("1", str(len(lines(PAIRS))))


@pytest.mark.parametrize(
    ("task_type", "row", "mistake"),
    [
        ("TextEmbeddingsPair", b"not json", "row is not valid JSON"),
        ("TextEmbeddingsPair", b"[]", "row is not an object"),
        ("TextEmbeddingsTriplet", lines(PAIRS), "field 'negative' is required"),
        ("TextToTextGeneration", b'{"request": "text", "response": "text"}', "request must be a list of messages"),
        ("TextClassificationMultilabel", '{"text": "Вода.", "река": 2}'.encode(), "labels must be 0 or 1"),
        ("TextEmbeddingsPair", b'{"anchor": 1, "positive": "a"}', "field must be a string"),
    ],
)
async def test_a_wrong_line_is_told_by_its_number(services: Services, task_type: str, row: bytes, mistake: str) -> None:
    """And the dataset is not for use."""
    verdict = await dataset(services, task_type, row)

    [error] = verdict["errors"]
    assert error["errorDescription"].startswith(mistake)
    assert (error["rowNumbers"], verdict.get("isValid", False)) == (["1"], False)


async def test_parts_are_put_together_in_order(services: Services) -> None:
    """Each part's mark must be that of its bytes."""
    dataset_id = await draft(services, "TextEmbeddingsPair")
    about = {"datasetId": dataset_id}
    urls = (await services.ask("DatasetService.StartMultipartUploadDraft", parts="2", **about))["multipartUploadUrls"]
    halves = [lines(PAIRS)[:20], lines(PAIRS)[20:]]
    marks = [await services.put(url, half) for url, half in zip(urls, halves, strict=True)]
    parts = [{"partNum": str(number), "etag": mark} for number, mark in enumerate(marks, start=1)]

    wrong = [{"partNum": "1", "etag": etag(b"other")}]
    refused = await services.status_of("DatasetService.FinishMultipartUploadDraft", uploadedParts=wrong, **about)
    await services.ask("DatasetService.FinishMultipartUploadDraft", uploadedParts=parts[::-1], **about)
    verdict = await services.done(await services.ask("DatasetService.Validate", **about))
    found = await services.ask("DatasetService.Describe", **about)

    assert refused == "INVALID_ARGUMENT"
    assert (verdict["isValid"], found["dataset"]["sizeBytes"]) == (True, str(len(lines(PAIRS))))


async def test_rows_are_downloaded_as_parquet_once_they_are_valid(services: Services) -> None:
    """A draft has none to give."""
    drafted = await draft(services, "TextEmbeddingsPair")
    ready = (await dataset(services, "TextEmbeddingsPair", lines(PAIRS)))["datasetId"]

    [where] = (await services.ask("DatasetService.GetDownloadUrls", datasetId=ready))["downloadUrls"]

    assert await services.status_of("DatasetService.GetDownloadUrls", datasetId=drafted) == "INVALID_ARGUMENT"
    assert where["key"] == "0.parquet"
    assert await services.get(where["url"]) == parquet(PAIRS)


def test_parquet_is_as_its_readers_want_it() -> None:
    """These bytes were read by the reference reader: a list with objects, an empty one, and none."""
    rows: list[dict[str, Any]] = [{"q": [{"role": "user", "n": 1}], "r": "x"}, {"q": []}, {"r": "y"}]

    assert (
        hashlib.sha256(parquet(rows)).hexdigest() == "c2419a43462f5e19a39da713a52416b01ca5f73d3ca554ece86b6e3341726ff0"
    )


async def test_an_address_takes_one_upload(services: Services) -> None:
    """And one that nobody gave takes none."""
    dataset_id = await draft(services, "TextEmbeddingsPair")
    where = await services.ask("DatasetService.GetUploadDraftUrl", datasetId=dataset_id)

    answers = [await services.put(where["uploadUrl"], b"{}") for _ in range(2)]

    assert answers == [f'"{etag(b"{}")}"', "403"]


async def test_lists_are_filtered(services: Services) -> None:
    """By status, task, part of the name and ids."""
    ready = (await dataset(services, "TextEmbeddingsPair", lines(PAIRS)))["datasetId"]
    drafted = await draft(services, "TextToTextGeneration")

    async def ids(**fields: Any) -> list[str]:
        found = await services.ask("DatasetService.List", **fields)
        return [one["datasetId"] for one in found.get("datasets", [])]

    assert await ids(status=["READY"]) == [ready]
    assert await ids(taskTypeFilter=["TextToTextGeneration"]) == [drafted]
    assert await ids(datasetNamePattern="стоян") == [ready, drafted]
    assert await ids(datasetIds=[drafted], datasetNamePattern="лагерь") == []


async def test_a_model_is_tuned_in_the_background(services: Services) -> None:
    """The tuned one has an address of its own; measurements are there at the end."""
    verdict = await dataset(services, "TextToTextGeneration", lines(ANSWERED))
    asked = {"baseModelUri": GPT, "trainDatasets": [{"datasetId": verdict["datasetId"], "weight": 1.0}]}
    begun = await services.ask("TuningService.Tune", textToTextCompletion={"lr": 0.1}, **asked)
    about = {"taskId": begun["metadata"]["tuningTaskId"]}
    early = await services.status_of("TuningService.GetMetricsUrl", **about)

    tuned = await services.done(begun)

    options = await services.ask("TuningService.GetOptions", **about)
    metrics = await services.ask("TuningService.GetMetricsUrl", **about)
    assert tuned["targetModelUri"].startswith(f"{GPT}@tamr")
    assert (early, options["textToTextCompletion"]["lr"]) == ("NOT_FOUND", 0.1)
    assert (await services.get(metrics["loadUrl"])).startswith(b"step,loss\n")


async def test_a_cancelled_task_says_so(services: Services) -> None:
    """Its operation ends with the code of CANCELLED."""
    verdict = await dataset(services, "TextToTextGeneration", lines(ANSWERED))
    asked = {"baseModelUri": GPT, "trainDatasets": [{"datasetId": verdict["datasetId"]}]}
    begun = await services.ask("TuningService.Tune", textToTextCompletion={}, **asked)
    await services.ask("OperationService.Cancel", operationId=begun["id"])
    services.clock[0] += 10

    read = await services.ask("OperationService.Get", operationId=begun["id"])
    [task] = (await services.ask("TuningService.List", status="CANCELED"))["tuningTasks"]

    assert (read["error"]["code"], task["taskId"]) == (1, begun["metadata"]["tuningTaskId"])


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"trainDatasets": [{"datasetId": "none"}], "textToTextCompletion": {}}, "NOT_FOUND"),
        ({"textToTextCompletion": {}}, "INVALID_ARGUMENT"),
        ({"trainDatasets": [{"datasetId": "none"}]}, "INVALID_ARGUMENT"),
        ({"trainDatasets": [{"datasetId": "none"}], "textEmbeddingPairParams": {}}, "INVALID_ARGUMENT"),
    ],
)
async def test_tuning_needs_what_fits_together(services: Services, fields: Any, status: str) -> None:
    """A model, datasets that are there, and parameters of the model's kind."""
    assert await services.status_of("TuningService.Tune", baseModelUri=GPT, **fields) == status


async def test_a_dataset_that_is_not_ready_teaches_nothing(services: Services) -> None:
    """A draft, or one for another task."""
    drafted = await draft(services, "TextToTextGeneration")
    pairs = (await dataset(services, "TextEmbeddingsPair", lines(PAIRS)))["datasetId"]

    for dataset_id in (drafted, pairs):
        asked = {"baseModelUri": GPT, "trainDatasets": [{"datasetId": dataset_id}], "textToTextCompletion": {}}
        assert await services.status_of("TuningService.Tune", **asked) == "INVALID_ARGUMENT"


async def test_a_batch_answers_every_line_it_can(services: Services) -> None:
    """Lines that no model would take are told by number; the answers are a dataset."""
    rows = [{"request": [{"role": "user", "text": text}]} for text in ("привет", "")]
    source = (await dataset(services, "TextToTextGenerationRequest", lines(rows)))["datasetId"]
    begun = await services.ask("TextGenerationBatchService.Completion", modelUri=GPT, sourceDatasetId=source)

    given = await services.done(begun)

    task = await services.ask("BatchInferenceService.Describe", taskId=given["taskId"])
    where = await services.ask("DatasetService.GetDownloadUrls", datasetId=given["resultDatasetId"])
    data = await services.get(where["downloadUrls"][0]["url"])
    asked = {"modelUri": GPT, "messages": rows[0]["request"]}
    said = (await services.ask("TextGenerationService.Completion", **asked))["alternatives"][0]["message"]["text"]
    assert said.encode() in data
    assert [error["lineNumber"] for error in task["task"]["errors"]["lineErrors"]] == ["2"]
    assert (begun["metadata"]["taskId"], task["task"]["status"]) == (given["taskId"], "COMPLETED")
