"""SpeechKit's recogniser: hears audio piece by piece, and tells what was said in events."""

import base64
from typing import Any, Final

from emulator.core import Call
from emulator.toy_model import tokenizer
from emulator.toy_model.answer import Ask, compose
from emulator.yandex.speech.audio import Format, format_of, length_ms, said_in
from emulator.yandex.speech.utterances import WINDOWS, Statistics, Utterance
from emulator.yandex.surface import YandexSurface

# A pause that ends an utterance unless the client says so itself.
PAUSE_MS: Final = 1_000


class Recogniser:
    """One session."""

    def __init__(self, surface: YandexSurface, call: Call) -> None:
        """Wait for the options, which come first."""
        self._surface, self._call = surface, call
        self._options: dict[str, Any] | None = None
        self._kind = Format()
        self._heard, self._at_ms, self._start_ms = b"", 0, 0
        self._statistics = Statistics([])
        user_id = call.received.header("x-client-request-id") or surface.core.new_id()
        self._session = {"uuid": surface.core.new_id(), "userRequestId": user_id}

    def hear(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """Take options, audio, silence or the end of an utterance; return what there is to tell."""
        if "sessionOptions" in event:
            return self.begin(event["sessionOptions"])
        if self._options is None:
            raise self._surface.refuse(self._call, 400, "session_options must be the first message")
        if "chunk" in event:
            return self.listen(base64.b64decode(event["chunk"].get("data", "")))
        if "silenceChunk" in event:
            return self._pause(int(event["silenceChunk"].get("durationMs") or 0))
        return self._finish_utterance()

    def begin(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """Take the options, or refuse."""
        kind = format_of(self._of(options, "recognitionModel").get("audioFormat") or {})
        if kind is None:
            raise self._surface.refuse(self._call, 400, "audio_format: invalid value")
        self._options, self._kind = options, kind
        analysis: dict[str, Any] = options.get("speechAnalysis") or {}
        self._statistics.quantiles = [float(level) for level in analysis.get("descriptiveStatisticsQuantiles") or []]
        return [self._event("", statusCode={"codeType": "WORKING"})]

    def listen(self, data: bytes) -> list[dict[str, Any]]:
        """Take audio; return a partial result when the session is a live one."""
        if not self._heard:
            self._start_ms = self._at_ms
        self._heard += data
        self._at_ms += length_ms(data, self._kind)
        model = self._of(self._options or {}, "recognitionModel")
        if not data or model.get("audioProcessingType") == "FULL_DATA":
            return []
        utterance = self._utterance()
        told = self._everywhere(partial=utterance.update(utterance.heard))
        return told + self._classified(utterance, "ON_PARTIAL")

    def end(self) -> list[dict[str, Any]]:
        """Return what is told at the end: the last utterance, then what was asked about the whole."""
        told = self._finish_utterance()
        said = self._statistics.utterances
        options, lasts_ms = self._options or {}, self._at_ms
        analysis = self._of(options, "speechAnalysis")
        if analysis.get("enableSpeakerAnalysis") and said:
            told += self._everywhere(speakerAnalysis=self._statistics.speaker("TOTAL", lasts_ms))
        if analysis.get("enableConversationAnalysis"):
            told.append(self._event("", conversationAnalysis=self._statistics.conversation(lasts_ms)))
        if self._of(options, "summarization").get("properties"):
            told.append(self._event("", summarization=self._summary(options["summarization"]["properties"])))
        return told

    def _pause(self, lasts_ms: int) -> list[dict[str, Any]]:
        self._at_ms += lasts_ms
        is_external = "externalClassifier" in self._of(self._options or {}, "eouClassifier")
        return [] if is_external or lasts_ms < PAUSE_MS else self._finish_utterance()

    def _utterance(self) -> Utterance:
        lasts_ms = length_ms(self._heard, self._kind)
        return Utterance(said_in(self._heard, lasts_ms), self._start_ms, self._start_ms + lasts_ms)

    def _finish_utterance(self) -> list[dict[str, Any]]:
        if not self._heard:
            return []
        utterance, self._heard = self._utterance(), b""
        self._statistics.utterances.append(utterance)
        options = self._options or {}
        told = self._everywhere(final=utterance.update(utterance.heard))
        told += self._classified(utterance, "ON_FINAL")
        normal = self._of(self._of(options, "recognitionModel"), "textNormalization")
        if normal.get("textNormalization") == "TEXT_NORMALIZATION_ENABLED":
            index = str(len(self._statistics.utterances) - 1)
            refined = {"finalIndex": index, "normalizedText": utterance.update(utterance.text)}
            told += self._everywhere(finalRefinement=refined)
        told += self._classified(utterance, "ON_UTTERANCE")
        if self._of(options, "speechAnalysis").get("enableSpeakerAnalysis"):
            told += self._everywhere(speakerAnalysis=self._statistics.speaker("LAST_UTTERANCE", self._at_ms))
        return told + self._everywhere(eouUpdate={"timeMs": str(utterance.end_ms)})

    def _classified(self, utterance: Utterance, trigger: str) -> list[dict[str, Any]]:
        asked = self._of(self._options or {}, "recognitionClassifier").get("classifiers") or []
        names = [one["classifier"] for one in asked if trigger in (one.get("triggers") or [])]
        found = [utterance.classified(name, WINDOWS[trigger]) for name in names]
        return [event for update in found for event in self._everywhere(classifierUpdate=update)]

    def _summary(self, properties: list[dict[str, Any]]) -> dict[str, Any]:
        """Return what a model makes of the text, for each instruction."""
        text = " ".join(utterance.text for utterance in self._statistics.utterances)
        said, used = list[str](), 0
        for wanted in properties:
            schema = (wanted.get("jsonSchema") or {}).get("schema")
            prompt = f"{wanted.get('instruction', '')}\n{text}"
            ask = Ask("", prompt, json_mode=bool(wanted.get("jsonObject")), json_schema=schema)
            answer = compose(ask, tokens_per_chunk=1, fault=None)
            said, used = [*said, answer.text], used + answer.completion_tokens
        read = len(properties) * tokenizer.count(text)
        usage = {"inputTextTokens": str(read), "completionTokens": str(used), "totalTokens": str(read + used)}
        return {"results": [{"response": one} for one in said], "contentUsage": usage}

    def _everywhere(self, **event: Any) -> list[dict[str, Any]]:
        """Return an event for every channel: the same is said in all of them."""
        return [self._event(str(channel), **event) for channel in range(self._kind.channels)]

    def _event(self, channel: str, **event: Any) -> dict[str, Any]:
        finished = self._statistics.utterances
        final_ms = finished[-1].end_ms if finished else 0
        cursors = {
            "receivedDataMs": str(self._at_ms), "partialTimeMs": str(self._at_ms), "finalTimeMs": str(final_ms),
            "finalIndex": str(max(0, len(finished) - 1)), "eouTimeMs": str(final_ms),
        }  # fmt: skip
        wall_ms = str(int(self._surface.core.now() * 1000))
        common = {"sessionUuid": self._session, "audioCursors": cursors, "responseWallTimeMs": wall_ms}
        return {**common, "channelTag": channel, **event}

    def _of(self, options: dict[str, Any], name: str) -> dict[str, Any]:
        return options.get(name) or {}
