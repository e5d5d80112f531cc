"""SpeechKit's recognition: of live audio in a dialogue, of files in the background."""

import base64
from typing import Any, Final

from emulator.kept import Kept
from emulator.yandex.operations import Operation, OperationsSurface, packed
from emulator.yandex.resources.service import Asked, Service
from emulator.yandex.speech.recogniser import Recogniser
from emulator.yandex.surface import YandexSurface

_STREAM: Final = "/speechkit.stt.v3.Recognizer/RecognizeStreaming"


class RecognitionService:
    """Adds the routes and the dialogue to the Yandex listener."""

    def __init__(self, surface: YandexSurface, operations: OperationsSurface) -> None:
        """Register them."""
        self._surface, self._operations = surface, operations
        # What was heard in each file, by its operation.
        self._heard: Kept[tuple[Operation, list[dict[str, Any]]]] = Kept()
        service = Service(surface, "speech")
        service.add(f"POST {_STREAM}", lambda asked: {})
        surface.dialogues[_STREAM] = lambda call: Recogniser(surface, call)
        service.add("POST /stt/v3/recognizeFileAsync", self.recognise_file)
        service.add("GET /stt/v3/getRecognition", self.recognition)
        service.add("DELETE /stt/v3/deleteRecognition", self.forget)

    def recognise_file(self, asked: Asked) -> dict[str, Any]:
        """Begin with a file: its bytes, or where they are."""
        data = base64.b64decode(asked.text("content")) or asked.text("uri").encode()
        if not data:
            raise asked.refuse(400, "audio_source: value is required")
        recogniser = Recogniser(self._surface, asked.call)
        told = recogniser.begin(asked.fields)
        told += recogniser.listen(data) + recogniser.end()
        operation = self._operations.begin("STT v3 async recognition", lambda: packed("google.protobuf.Empty", {}))
        self._heard.put(operation.id, (operation, told))
        return self._operations.told(operation, begun=True)

    def recognition(self, asked: Asked) -> list[dict[str, Any]]:
        """Return what was heard, once the operation is done."""
        operation, told = self._named(asked)
        if not self._operations.is_done(operation):
            raise asked.refuse(404, f"Recognition {operation.id} is not ready")
        return told

    def forget(self, asked: Asked) -> dict[str, Any]:
        """Delete what was heard."""
        self._heard.drop(self._named(asked)[0].id)
        return {}

    def _named(self, asked: Asked) -> tuple[Operation, list[dict[str, Any]]]:
        found = self._heard.get(asked.text("operationId"))
        if found is None:
            raise asked.refuse(404, f"Recognition {asked.text('operationId')} not found")
        return found
