"""Yandex's batches: a model answers every line of a dataset, in the background, into another dataset."""

from typing import Any, Final

import msgspec

from emulator.markers import read_directions
from emulator.toy_model.answer import compose
from emulator.yandex.learning.datasets import DatasetService
from emulator.yandex.learning.tasks import Tasks
from emulator.yandex.native_format import InvalidRequestError, read_request
from emulator.yandex.operations import OperationsSurface, packed
from emulator.yandex.resources.service import Asked, Service
from emulator.yandex.surface import YandexSurface

_SERVICE: Final = "yandex.cloud.ai.batch_inference.v1.BatchInferenceService"
_PACKAGE: Final = "yandex.cloud.ai.foundation_models.v1"
# Fields of a request for one answer that a batch has too.
_OPTIONS: Final = ("modelUri", "completionOptions", "jsonObject", "jsonSchema")


class BatchService:
    """Adds the methods to the Yandex listener: a batch begins over REST too, the rest is over gRPC only."""

    def __init__(self, surface: YandexSurface, datasets: DatasetService, operations: OperationsSurface) -> None:
        """Register them."""
        self._surface, self._datasets = surface, datasets
        self._tasks = Tasks(surface.core, operations, "Batch inference task", "fbt")
        service = Service(surface, "batches")
        service.add("POST /foundationModels/v1/completionBatch", self.begin)
        for name, handle in (
            ("Describe", self.describe),
            ("List", self.list_all),
            ("Cancel", self.cancel),
            ("Delete", self.delete),
        ):
            service.add(f"POST /{_SERVICE}/{name}", handle)

    def begin(self, asked: Asked) -> dict[str, Any]:
        """Take a dataset of requests that is ready."""
        self._surface.checked_uri(asked.call, asked.text("modelUri"), "gpt")
        source = asked.text("sourceDatasetId")
        lines = self._datasets.lines(asked, source, "TextToTextGenerationRequest", "TextToTextGeneration")
        about = {"modelUri": asked.text("modelUri"), "sourceDatasetId": source}

        def finish(task: dict[str, Any]) -> dict[str, Any]:
            return self._done(asked, task, lines)

        return self._tasks.begin(asked, "Batch completion", _begun, finish, **about)

    def describe(self, asked: Asked) -> dict[str, Any]:
        """Return one."""
        return {"task": self._tasks.named(asked, asked.text("taskId"))}

    def list_all(self, asked: Asked) -> dict[str, Any]:
        """Return a page of the tasks, of one status when so asked."""
        page, token = self._tasks.page(asked)
        return {"tasks": page, "nextPageToken": token}

    def cancel(self, asked: Asked) -> dict[str, Any]:
        """End one that still runs."""
        return {"taskId": self._tasks.cancel(asked, asked.text("taskId"))["taskId"]}

    def delete(self, asked: Asked) -> dict[str, Any]:
        """Forget a task; the datasets stay."""
        return {"taskId": self._tasks.delete(asked, asked.text("taskId"))["taskId"]}

    def _done(self, asked: Asked, task: dict[str, Any], lines: bytes) -> dict[str, Any]:
        """Answer every line; one that cannot be asked is told among the errors."""
        answered, errors = list[bytes](), list[dict[str, Any]]()
        for number, line in enumerate(lines.splitlines(), start=1):
            row = msgspec.json.decode(line)
            try:
                said = self._said(asked, row["request"])
            except InvalidRequestError as reason:
                errors.append({"lineNumber": str(number), "message": str(reason)})
            else:
                answered.append(msgspec.json.encode({"request": row["request"], "response": said}))
        result = self._datasets.keep(asked, "TextToTextGeneration", b"\n".join(answered))
        task |= {"resultDatasetId": result["datasetId"], "errors": {"lineErrors": errors}}
        found = {"taskId": task["taskId"], "taskStatus": "COMPLETED", "resultDatasetId": result["datasetId"]}
        return packed(f"{_PACKAGE}.BatchCompletionResponse", found)

    def _said(self, asked: Asked, messages: list[dict[str, Any]]) -> str:
        options: dict[str, Any] = {name: asked.fields[name] for name in _OPTIONS if name in asked.fields}
        ask = read_request({**options, "messages": messages})
        ask.directions = read_directions(ask.prompt)
        return compose(ask, tokens_per_chunk=self._surface.core.settings.tokens_per_chunk, fault=None).text


def _begun(task: dict[str, Any]) -> dict[str, Any]:
    return packed(f"{_PACKAGE}.BatchCompletionMetadata", {"taskId": task["taskId"], "taskStatus": "CREATED"})
