"""Yandex's tuning: a model and datasets make, in the background, a model with a suffix of its own."""

from typing import Any, Final

from emulator.kept import Kept
from emulator.yandex.learning.datasets import DatasetService
from emulator.yandex.learning.tasks import Tasks
from emulator.yandex.operations import OperationsSurface, packed
from emulator.yandex.resources.service import Asked, Service
from emulator.yandex.resources.storage import Storage
from emulator.yandex.surface import YandexSurface

_SERVICE: Final = "yandex.cloud.ai.tuning.v1.TuningService"
_PACKAGE: Final = "yandex.cloud.ai.tuning.v1"
STEPS: Final = 100
# What a model of each scheme may be tuned for, and the task of the datasets that this needs.
_TASK_OF: Final = {
    "textToTextCompletion": ("gpt", "TextToTextGeneration"),
    "textClassificationMultilabel": ("cls", "TextClassificationMultilabel"),
    "textClassificationMulticlass": ("cls", "TextClassificationMulticlass"),
    "textEmbeddingPairParams": ("emb", "TextEmbeddingsPair"),
    "textEmbeddingTripletParams": ("emb", "TextEmbeddingsTriplet"),
}


class TuningService:
    """Adds the methods to the Yandex listener: the provider has them over gRPC only."""

    def __init__(
        self, surface: YandexSurface, datasets: DatasetService, operations: OperationsSurface, storage: Storage
    ) -> None:
        """Register them."""
        self._surface, self._datasets, self._storage = surface, datasets, storage
        self._tasks = Tasks(surface.core, operations, "Tuning task", "ftn")
        # What each task was asked to do, by its id.
        self._options: Kept[dict[str, Any]] = Kept()
        service = Service(surface, "tuning")
        for name, handle in (
            ("Tune", self.tune),
            ("List", self.list_all),
            ("Describe", self.describe),
            ("Cancel", self.cancel),
            ("GetOptions", self.options),
            ("GetMetricsUrl", self.metrics),
        ):
            service.add(f"POST /{_SERVICE}/{name}", handle)

    def tune(self, asked: Asked) -> dict[str, Any]:
        """Begin; the datasets must be ready and suit the kind of tuning."""
        kind = next((name for name in _TASK_OF if name in asked.fields), None)
        if kind is None:
            raise asked.refuse(400, "tuning_params: value is required")
        asked.needs("trainDatasets")
        scheme, task_type = _TASK_OF[kind]
        base = asked.text("baseModelUri")
        self._surface.checked_uri(asked.call, base, scheme)
        for dataset in [*asked.fields["trainDatasets"], *asked.fields.get("validationDatasets", [])]:
            self._datasets.lines(asked, dataset["datasetId"], task_type)
        names = ("trainDatasets", "validationDatasets", kind)
        options = {name: asked.fields[name] for name in names if name in asked.fields}

        def metadata(task: dict[str, Any]) -> dict[str, Any]:
            self._options.put(task["taskId"], options)
            return _begun(task)

        return self._tasks.begin(asked, "Tune model", metadata, _tuned, sourceModelUri=base)

    def list_all(self, asked: Asked) -> dict[str, Any]:
        """Return a page of the tasks, of one status when so asked."""
        page, token = self._tasks.page(asked)
        return {"tuningTasks": page, "nextPageToken": token}

    def describe(self, asked: Asked) -> dict[str, Any]:
        """Return one."""
        return {"tuningTask": self._tasks.named(asked, asked.text("tuningTaskId"))}

    def cancel(self, asked: Asked) -> dict[str, Any]:
        """End one that still runs."""
        return {"tuningTaskId": self._tasks.cancel(asked, asked.text("tuningTaskId"))["taskId"]}

    def options(self, asked: Asked) -> dict[str, Any]:
        """Return what a task was asked to do."""
        task = self._tasks.named(asked, asked.text("taskId"))
        known = {"taskId": task["taskId"], "baseModelUri": task["sourceModelUri"]}
        return known | (self._options.get(task["taskId"]) or {})

    def metrics(self, asked: Asked) -> dict[str, Any]:
        """Return where the measurements of a task are; there are none before its end."""
        task = self._tasks.named(asked, asked.text("taskId"))
        if task["status"] != "COMPLETED":
            raise asked.refuse(404, f"Metrics of tuning task {task['taskId']} not found")
        rows = "".join(f"{step},{1 / (1 + step):.4f}\n" for step in range(0, STEPS + 1, 10))
        return {"loadUrl": self._storage.put(f"metrics/{task['taskId']}.csv", f"step,loss\n{rows}".encode())}


def _tuned(task: dict[str, Any]) -> dict[str, Any]:
    task["targetModelUri"] = f"{task['sourceModelUri']}@tamr{task['taskId'][-12:]}"
    found = {"status": "COMPLETED", "targetModelUri": task["targetModelUri"]}
    return packed(f"{_PACKAGE}.TuningResponse", {"tuningTaskId": task["taskId"], **found})


def _begun(task: dict[str, Any]) -> dict[str, Any]:
    steps = {"totalSteps": str(STEPS), "currentStep": "0"}
    return packed(f"{_PACKAGE}.TuningMetadata", {"tuningTaskId": task["taskId"], "status": "IN_PROGRESS", **steps})
