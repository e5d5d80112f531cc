"""Datasets, tuning and batches."""

import json
import tempfile
from pathlib import Path
from typing import Any

import grpc
import pyarrow.parquet as parquet
from yandex_ai_studio_sdk.exceptions import DatasetValidationError, RunError

from for_yandex.settings import FOLDER, every, in_both_ways, now, refused

QUESTION = [{"role": "user", "text": "далеко до стоянки?"}]
ROWS: dict[str, list[dict[str, Any]]] = {
    "completions": [{"request": QUESTION, "response": "недалеко"}] * 2,
    "text_classifiers_multilabel": [{"text": "Вода.", "река": 1, "лес": 0}],
    "text_classifiers_multiclass": [{"text": "Вода.", "река": 1, "лес": 0}],
    "text_classifiers_binary": [{"text": "Вода.", "река": 1}],
    "text_embeddings_pair": [{"anchor": "река", "positive": "вода"}],
    "text_embeddings_triplet": [{"anchor": "река", "positive": "вода", "negative": "лес"}],
}
SOON = {"poll_interval": 0.1}


async def dataset_of(sdk: Any, kind: str, **about: Any) -> Any:
    """Upload the rows of a kind; return the dataset that is ready."""
    return await uploaded(sdk, ROWS[kind], getattr(sdk.datasets, kind).draft_from_path, **about)


async def uploaded(sdk: Any, rows: list[Any], draft: Any, **about: Any) -> Any:
    """Upload rows by a draft of a path."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
        return await now(draft(path, upload_format="jsonlines", **about).upload(**SOON))


@in_both_ways
async def can_make_datasets_of_every_kind(sdk: Any) -> None:
    for kind in ROWS:
        dataset = await dataset_of(sdk, kind, name=f"стоянки-{kind}")
        assert (dataset.status.name, dataset.rows) == ("READY", len(ROWS[kind]))
        assert await now(dataset.list_upload_formats()) == ("jsonlines",)
        assert await now(getattr(sdk.datasets, kind).list_upload_formats()) == ("jsonlines",)
    [schema] = await now(sdk.datasets.list_upload_schemas("TextEmbeddingsPair"))
    assert schema.json["required"] == ["anchor", "positive"]
    assert await now(sdk.datasets.list_upload_formats("TextEmbeddingsPair")) == ("jsonlines",)


@in_both_ways
async def can_keep_datasets(sdk: Any) -> None:
    dataset = await dataset_of(sdk, "completions", name="стоянки", metadata="v1", labels={"team": "north"})
    await now(dataset.update(name="лагеря", description="у реки"))
    found = await now(sdk.datasets.get(dataset.id))
    assert (found.name, found.description, found.labels, found.metadata) == (
        "лагеря",
        "у реки",
        {"team": "north"},
        "v1",
    )
    listed = await every(sdk.datasets.list(status="READY", name_pattern="лагеря", task_type="TextToTextGeneration"))
    assert dataset.id in [one.id for one in listed]
    with tempfile.TemporaryDirectory() as folder:
        [path] = await now(dataset.download(download_path=folder))
        assert parquet.read_table(path).to_pylist() == ROWS["completions"]
    assert await every(dataset.read(batch_size=1)) == ROWS["completions"]
    await now(dataset.delete())
    await refused(grpc.StatusCode.NOT_FOUND, sdk.datasets.get, dataset.id)


@in_both_ways
async def can_be_told_what_is_wrong_with_a_dataset(sdk: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text('{"anchor": "река", "positive": "вода"}\n{"anchor": "река"}\nnot json')
        draft = sdk.datasets.draft_from_path(path, task_type="TextEmbeddingsPair").configure(upload_format="jsonlines")
        draft.validate()
        operation = await now(draft.upload_deferred())
        try:
            await now(operation.wait(**SOON))
        except DatasetValidationError as error:
            assert "field 'positive' is required" in str(error)
        else:
            raise AssertionError("a wrong dataset was ready")


@in_both_ways
async def can_upload_in_parts(sdk: Any) -> None:
    part = 5 * 1024 * 1024
    rows = [{"anchor": "река " * 40_000, "positive": "вода"}] * 30
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
        assert path.stat().st_size > 2 * part
        draft = sdk.datasets.text_embeddings_pair.draft_from_path(path, upload_format="jsonlines")
        dataset = await now(draft.upload(chunk_size=part, parallelism=2, **SOON))
        assert (dataset.rows, dataset.size_bytes) == (30, path.stat().st_size)
    await now(dataset.delete())


@in_both_ways
async def can_tune_a_model(sdk: Any) -> None:
    dataset = await dataset_of(sdk, "completions")
    model = sdk.models.completions("yandexgpt-lite")
    tuned = await now(model.tune(dataset, validation_datasets=(dataset, 0.5), seed=500, lr=1e-4, **SOON))
    assert tuned.uri.startswith(f"gpt://{FOLDER}/yandexgpt-lite/latest@tamr")
    assert tuned.fine_tuned
    assert (await now(tuned.run("привет"))).text

    task = await now(model.tune_deferred(dataset, name="стоянки"))
    assert (await now(task.get_status())).is_running
    assert await now(task.get_metrics_url()) is None
    assert (await now(task.wait(**SOON))).uri != tuned.uri
    info = await now(task.get_task_info())
    assert (info.status.name, info.source_model_uri) == ("COMPLETED", model.uri)
    assert (await now(task.get_metrics_url())).endswith(".csv")
    again = await now(model.attach_tune_deferred(task.id))
    assert (await now(again.get_result())).uri == info.target_model_uri
    by_id = await now(sdk.tuning.get(info.task_id))
    assert (await now(by_id.get_result())).uri == info.target_model_uri
    assert info.task_id in [one.id for one in await every(sdk.tuning.list(page_size=2))]

    cancelled = await now(model.tune_deferred(dataset))
    await now(cancelled.cancel())
    assert (await now(cancelled.get_status())).is_failed
    await refused(grpc.StatusCode.NOT_FOUND, model.tune_deferred, "fdsnone")


@in_both_ways
async def can_tune_classifiers_and_embeddings(sdk: Any) -> None:
    classifier = sdk.models.text_classifiers("yandexgpt-lite")
    labels = await dataset_of(sdk, "text_classifiers_multilabel")
    tuned = await now(classifier.tune(labels, classification_type="multilabel", **SOON))
    assert (await now(tuned.run("река"))).predictions
    task = await now(classifier.tune_deferred(labels, classification_type="binary"))
    attached = await now(classifier.attach_tune_deferred(task.id))
    assert (await now(attached.wait(**SOON))).fine_tuned
    # The SDK's own lists of tasks know no tuned embeddings: this comes last.
    embedder = sdk.models.text_embeddings("text-embeddings-v2-doc")
    pairs = await dataset_of(sdk, "text_embeddings_pair")
    tuned = await now(embedder.tune(pairs, embeddings_tune_type="pair", **SOON))
    assert len(await now(tuned.run("река"))) == 256
    task = await now(embedder.tune_deferred(pairs, embeddings_tune_type="pair"))
    attached = await now(embedder.attach_tune_deferred(task.id))
    assert (await now(attached.wait(**SOON))).fine_tuned


@in_both_ways
async def can_answer_in_batches(sdk: Any) -> None:
    draft = sdk.datasets.draft_from_path
    rows = [{"request": [{"role": "user", "text": text}]} for text in ("привет", "далеко?", "")]
    source = await uploaded(sdk, rows, draft, task_type="TextToTextGenerationRequest")
    model = sdk.models.completions("yandexgpt").configure(max_tokens=100)
    task = await now(model.batch.run_deferred(source))
    assert (await now(task.get_status())).is_running
    result = await now(task.wait(**SOON))
    said = [row["response"] for row in await every(result.read())]
    assert said == [(await now(model.run(text))).text for text in ("привет", "далеко?")]
    info = await now(task.get_task_info())
    assert [error.line_number for error in info.errors.line_errors] == [3]
    assert (await now((await now(sdk.batch.get(task.task_id))).get_result())).id == result.id
    assert task.id in [one.task_id for one in await every(sdk.batch.list_operations(status="completed"))]
    assert task.id in [one.task_id for one in await every(sdk.batch.list_info(page_size=1))]
    await now(task.delete())
    await refused(grpc.StatusCode.NOT_FOUND, sdk.batch.get, task.task_id)


@in_both_ways
async def can_cancel_a_batch(sdk: Any) -> None:
    draft = sdk.datasets.draft_from_path
    source = await uploaded(sdk, [{"request": QUESTION}], draft, task_type="TextToTextGenerationRequest")
    task = await now(sdk.models.completions("yandexgpt").batch.run_deferred(source))
    await now(task.cancel())
    assert (await now(task.get_status())).name == "CANCELED"
    try:
        await now(task.wait(**SOON))
    except RunError:
        raise
    except RuntimeError as error:
        assert "result_dataset_id" in str(error)
