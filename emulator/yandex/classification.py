"""Text classification: by a tuned classifier, or by labels and samples given along."""

import zlib
from typing import Any, Final

import msgspec

from emulator.core import Call
from emulator.toy_model import tokenizer
from emulator.wire.replies import Reply
from emulator.yandex.native_format import MODEL_VERSION
from emulator.yandex.surface import YandexSurface

# The labels of every tuned classifier here.
TUNED_LABELS: Final = ("да", "нет")
MOST_LABELS: Final = 20
MOST_SAMPLES: Final = 5


class ClassificationSurface:
    """Adds the two methods to the Yandex listener."""

    def __init__(self, surface: YandexSurface) -> None:
        """Register the routes."""
        self._surface = surface
        surface.routes |= {
            "POST /foundationModels/v1/textClassification": ("classify", self.classify),
            "POST /foundationModels/v1/fewShotTextClassification": ("classify", self.classify_few_shot),
        }

    async def classify(self, call: Call) -> Reply:
        """`textClassification`: only a tuned model knows its labels."""
        body = self._begun(call)
        if "@" not in str(body.get("modelUri")):
            raise self._surface.refuse(call, 400, "model must be tuned for classification")
        return self._reply(call, str(body.get("text", "")), TUNED_LABELS)

    async def classify_few_shot(self, call: Call) -> Reply:
        """`fewShotTextClassification`: zero samples are allowed, labels are not optional."""
        body = self._begun(call)
        labels, samples = body.get("labels") or [], body.get("samples") or []
        if not 1 < len(labels) <= MOST_LABELS:
            raise self._surface.refuse(call, 400, f"number of labels must be in range [2, {MOST_LABELS}]")
        if len(samples) > MOST_SAMPLES or any(sample.get("label") not in labels for sample in samples):
            raise self._surface.refuse(call, 400, f"samples must be at most {MOST_SAMPLES}, each with a known label")
        return self._reply(call, str(body.get("text", "")), labels)

    def _begun(self, call: Call) -> dict[str, Any]:
        surface = self._surface
        folder = surface.authenticate(call)
        body: dict[str, Any] = call.received.json()
        call.entry.model = str(body.get("modelUri"))
        surface.choose_fault(call, model=call.entry.model)
        uri = surface.checked_uri(call, body.get("modelUri"), "cls")
        surface.check_folder(call, folder, uri.folder, call.received.header("x-folder-id"))
        surface.check_rate(call, folder, "yandex_classifications_per_s")
        if not body.get("text"):
            raise surface.refuse(call, 400, "text length is 0, which is outside the range (0, 10000]")
        return body

    def _reply(self, call: Call, text: str, labels: list[str] | tuple[str, ...]) -> Reply:
        """Share one among the labels: those whose words stand in the text first, the rest by a checksum."""
        weights = {name: 1 + zlib.crc32(f"{name}|{text}".encode()) % 97 + 400 * (name in text) for name in labels}
        total = sum(weights.values())
        shares = [{"label": name, "confidence": weight / total} for name, weight in weights.items()]
        call.entry.prompt_tokens = tokenizer.count(text) + 1
        found = {"predictions": shares, "modelVersion": MODEL_VERSION, "inputTokens": str(call.entry.prompt_tokens)}
        return Reply([msgspec.json.encode(found)], headers=self._surface.headers(call), fault=call.fault)
