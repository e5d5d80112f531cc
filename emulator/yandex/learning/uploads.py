"""How the lines of a dataset come: in one piece, or in parts that are put together at the end."""

from typing import Any, Final

from emulator.yandex.learning.datasets import DatasetService, key_of
from emulator.yandex.resources.service import Asked, Service
from emulator.yandex.resources.storage import Storage, etag
from emulator.yandex.surface import YandexSurface

_SERVICE: Final = "yandex.cloud.ai.dataset.v1.DatasetService"
MOST_PARTS: Final = 10_000


class UploadService:
    """Adds the methods to the Yandex listener."""

    def __init__(self, surface: YandexSurface, datasets: DatasetService, storage: Storage) -> None:
        """Register them."""
        self._datasets, self._storage = datasets, storage
        service = Service(surface, "datasets")
        service.add(f"POST /{_SERVICE}/GetUploadDraftUrl", self.url)
        service.add(f"POST /{_SERVICE}/StartMultipartUploadDraft", self.start)
        service.add(f"POST /{_SERVICE}/FinishMultipartUploadDraft", self.finish)

    def url(self, asked: Asked) -> dict[str, Any]:
        """Return where all lines go in one piece."""
        found = self._draft(asked)
        return {"datasetId": found["datasetId"], "uploadUrl": self._storage.upload_address(key_of(found))}

    def start(self, asked: Asked) -> dict[str, Any]:
        """Return where each part goes."""
        found, parts = self._draft(asked), asked.number("parts")
        if not 0 < parts <= MOST_PARTS:
            raise asked.refuse(400, f"parts must be in range [1, {MOST_PARTS}]")
        urls = [self._storage.upload_address(_part(found, number)) for number in range(1, parts + 1)]
        return {"datasetId": found["datasetId"], "multipartUploadUrls": urls}

    def finish(self, asked: Asked) -> dict[str, Any]:
        """Put the parts together, in the order of their numbers."""
        found = self._draft(asked)
        sent = sorted(asked.fields.get("uploadedParts") or [], key=lambda part: int(part["partNum"]))
        keys = [_part(found, int(part["partNum"])) for part in sent]
        data = [self._storage.get(key) for key in keys]
        if not sent or any(
            one is None or etag(one) != str(part.get("etag")).strip('"') for one, part in zip(data, sent, strict=True)
        ):
            raise asked.refuse(400, "One or more of the specified parts could not be found")
        for key in keys:
            self._storage.drop(key)
        self._storage.put(key_of(found), b"".join(part for part in data if part is not None))
        return {"datasetId": found["datasetId"]}

    def _draft(self, asked: Asked) -> dict[str, Any]:
        found = self._datasets.named(asked, asked.text("datasetId"))
        if found["status"] != "DRAFT":
            raise asked.refuse(400, f"Dataset {found['datasetId']} is not a draft")
        return found


def _part(dataset: dict[str, Any], number: int) -> str:
    return f"{key_of(dataset)}.{number}"
