"""Yandex's datasets: drafted, filled with lines at an address, validated in the background, then ready."""

import fnmatch
from typing import Any, Final

import msgspec

from emulator.kept import Kept
from emulator.yandex.learning.parquet import parquet
from emulator.yandex.learning.schemas import FORMAT, SCHEMAS, mistakes_in
from emulator.yandex.operations import Operation, OperationsSurface, packed
from emulator.yandex.resources.collection import Resources, paged
from emulator.yandex.resources.service import ACCOUNT, Asked, Service
from emulator.yandex.resources.storage import Storage
from emulator.yandex.surface import YandexSurface

_SERVICE: Final = "yandex.cloud.ai.dataset.v1.DatasetService"
_PACKAGE: Final = "yandex.cloud.ai.dataset.v1"


class DatasetService:
    """Adds the methods to the Yandex listener: the provider has them over gRPC only, so their paths are gRPC's."""

    def __init__(self, surface: YandexSurface, storage: Storage, operations: OperationsSurface) -> None:
        """Register them."""
        self.datasets = Resources(surface.core, "Dataset", "fds", "datasetId")
        self._storage, self._operations = storage, operations
        # The validation of a dataset, by its id.
        self._validations: Kept[Operation] = Kept()
        service = Service(surface, "datasets")
        for name, handle in (
            ("Create", self.create),
            ("Describe", self.describe),
            ("List", self.list_all),
            ("Update", self.update),
            ("Delete", self.delete),
            ("Validate", self.validate),
            ("GetDownloadUrls", self.download_urls),
            ("ListUploadFormats", self.formats),
            ("ListUploadSchemas", self.schemas),
        ):
            service.add(f"POST /{_SERVICE}/{name}", handle)

    def create(self, asked: Asked) -> dict[str, Any]:
        """Draft one."""
        if asked.text("taskType") not in SCHEMAS:
            raise asked.refuse(400, f"unknown task type '{asked.text('taskType')}'")
        if asked.text("uploadFormat") != FORMAT:
            raise asked.refuse(400, f"unknown upload format '{asked.text('uploadFormat')}'")
        found = self._made(asked, asked.text("taskType"), "DRAFT")
        return {"datasetId": found["datasetId"], "dataset": found}

    def keep(self, asked: Asked, task_type: str, data: bytes) -> dict[str, Any]:
        """Make a dataset that is ready, of lines that a service has written."""
        found = self._made(asked, task_type, "READY")
        self._storage.put(key_of(found), data)
        return self._measure(found, data)

    def _made(self, asked: Asked, task_type: str, status: str) -> dict[str, Any]:
        metadata, may_log = asked.text("metadata"), bool(asked.fields.get("allowDataLog"))
        fields = {"metadata": metadata, "taskType": task_type, "status": status, "allowDataLog": may_log}
        return self.datasets.create(asked, createdById=ACCOUNT, **fields)

    def named(self, asked: Asked, dataset_id: str) -> dict[str, Any]:
        """Return a dataset as it is now, or refuse."""
        found = self.datasets.named(asked, dataset_id)
        self._look_at(found)
        return found

    def lines(self, asked: Asked, dataset_id: str, *task_types: str) -> bytes:
        """Return the lines of a dataset that is ready and of one of the types, or refuse."""
        found = self.named(asked, dataset_id)
        if found["status"] != "READY":
            raise asked.refuse(400, f"Dataset {dataset_id} is not ready")
        if task_types and found["taskType"] not in task_types:
            raise asked.refuse(400, f"Dataset {dataset_id} has unsuitable task type {found['taskType']}")
        return self._storage.get(key_of(found)) or b""

    def describe(self, asked: Asked) -> dict[str, Any]:
        """Return one."""
        return {"dataset": self.named(asked, asked.text("datasetId"))}

    def list_all(self, asked: Asked) -> dict[str, Any]:
        """Return a page of those that pass every filter."""
        found = self.datasets.all(asked)
        for dataset in found:
            self._look_at(dataset)
        for name, wanted in (("status", "status"), ("taskType", "taskTypeFilter"), ("datasetId", "datasetIds")):
            kinds = asked.fields.get(wanted)
            found = [dataset for dataset in found if not kinds or dataset[name] in kinds]
        pattern = asked.text("datasetNamePattern")
        found = [one for one in found if not pattern or fnmatch.fnmatch(one.get("name", ""), f"*{pattern}*")]
        page, token = paged(asked, found)
        return {"datasets": page, "nextPageToken": token}

    def update(self, asked: Asked) -> dict[str, Any]:
        """Change what the mask names."""
        return {"dataset": self.datasets.update(asked, asked.text("datasetId"))}

    def delete(self, asked: Asked) -> dict[str, Any]:
        """Forget it and its lines."""
        found = self.datasets.delete(asked, asked.text("datasetId"))
        self._validations.drop(found["datasetId"])
        self._storage.drop(key_of(found))
        return {}

    def validate(self, asked: Asked) -> dict[str, Any]:
        """Begin to look through the lines."""
        found = self.named(asked, asked.text("datasetId"))
        data = self._storage.get(key_of(found))
        if data is None:
            raise asked.refuse(400, f"Dataset {found['datasetId']} has no data")
        found["status"] = "VALIDATING"
        metadata = packed(f"{_PACKAGE}.ValidateDatasetMetadata", {"datasetId": found["datasetId"]})
        operation = self._operations.begin("Validate dataset", lambda: self._validated(found, data), metadata)
        self._validations.put(found["datasetId"], operation)
        return self._operations.told(operation, begun=True)

    def download_urls(self, asked: Asked) -> dict[str, Any]:
        """Return where the rows are, as Parquet."""
        dataset_id = asked.text("datasetId")
        rows = [msgspec.json.decode(line) for line in self.lines(asked, dataset_id).splitlines()]
        url = self._storage.put(f"datasets/{dataset_id}/0.parquet", parquet(rows))
        return {"datasetId": dataset_id, "downloadUrls": [{"key": "0.parquet", "url": url}]}

    def formats(self, asked: Asked) -> dict[str, Any]:
        """Return what lines may be written in."""
        return {"formats": [FORMAT] if asked.text("taskType") in SCHEMAS else []}

    def schemas(self, asked: Asked) -> dict[str, Any]:
        """Return what a line of a task holds."""
        schema = SCHEMAS.get(asked.text("taskType"))
        kind = {"taskType": asked.text("taskType"), "uploadFormat": FORMAT}
        return {"schemas": [] if schema is None else [{**kind, "schema": schema.text()}]}

    def _look_at(self, found: dict[str, Any]) -> None:
        """Let a validation end whose time is over."""
        operation = self._validations.get(found["datasetId"])
        if operation is not None:
            self._operations.is_done(operation)

    def _validated(self, found: dict[str, Any], data: bytes) -> dict[str, Any]:
        errors = mistakes_in(data, SCHEMAS[found["taskType"]])
        found |= {"status": "INVALID" if errors else "READY", "validationError": errors}
        self._measure(found, data)
        verdict = {"datasetId": found["datasetId"], "isValid": not errors, "errors": errors}
        return packed(f"{_PACKAGE}.ValidateDatasetResponse", verdict)

    def _measure(self, found: dict[str, Any], data: bytes) -> dict[str, Any]:
        found |= {"rows": str(len(data.splitlines())), "sizeBytes": str(len(data))}
        return found


def key_of(dataset: dict[str, Any]) -> str:
    """Return where the storage has the lines."""
    return f"datasets/{dataset['datasetId']}"
