"""SpeechKit's synthesis: of a text at once, or of text that is still being written."""

import base64
import re
from typing import Any, Final

from emulator.core import Call
from emulator.yandex.resources.service import Asked, Service
from emulator.yandex.speech.audio import LETTER_MS, Format, format_of, spoken
from emulator.yandex.surface import YandexSurface

LONGEST_UTTERANCE: Final = 250
_SENTENCE: Final = re.compile(r"[^.!?…]+[.!?…]*")
_STREAM: Final = "/speechkit.tts.v3.Synthesizer/StreamSynthesis"
VOICES: Final = frozenset({
    "alena", "filipp", "ermil", "jane", "omazh", "zahar", "madirus", "marina", "alexander", "kirill", "anton", "dasha",
    "julia", "lera", "masha", "yulduz", "saule", "zhanar", "daulet", "kamila", "amira", "madi", "nigora", "lea", "john",
    "naomi",
})  # fmt: skip


class SynthesisService:
    """Adds the route and the dialogue to the Yandex listener."""

    def __init__(self, surface: YandexSurface) -> None:
        """Register them."""
        self._surface = surface
        service = Service(surface, "speech")
        service.add("POST /tts/v3/utteranceSynthesis", self.synthesise)
        service.add(f"POST {_STREAM}", lambda asked: {})
        surface.dialogues[_STREAM] = lambda call: SynthesisDialogue(surface, call)

    def synthesise(self, asked: Asked) -> list[dict[str, Any]]:
        """Return the sentences of a text, one after the other."""
        hints: dict[str, Any] = {}
        for hint in asked.fields.get("hints") or []:
            hints |= hint
        text = asked.text("text") or str((asked.fields.get("textTemplate") or {}).get("textTemplate", ""))
        if not text:
            raise asked.refuse(400, "utterance: value is required")
        if len(text) > LONGEST_UTTERANCE and not asked.fields.get("unsafeMode"):
            raise asked.refuse(400, f"Too long text: more than {LONGEST_UTTERANCE} symbols")
        voice = Voice(self._surface, asked.call, hints, asked.fields.get("outputAudioSpec") or {})
        sentences = _SENTENCE.findall(text)
        duration: dict[str, Any] = hints.get("duration") or {}
        return [voice.say(sentence.strip(), _bounded(duration, len(sentences))) for sentence in sentences]


class Voice:
    """Speaks pieces of one utterance or session, each where the one before has ended."""

    def __init__(self, surface: YandexSurface, call: Call, hints: dict[str, Any], spec: dict[str, Any]) -> None:
        """Take how to speak, or refuse."""
        self._speed, self._at_ms, self._begins = float(hints.get("speed") or 1.0), 0, True
        if hints.get("voice") and hints["voice"] not in VOICES:
            raise surface.refuse(call, 400, f"Unsupported voice: {hints['voice']}")
        if not 0.1 <= self._speed <= 3.0:
            raise surface.refuse(call, 400, "speed must be in range [0.1, 3.0]")
        kind = format_of(spec)
        if kind is None:
            raise surface.refuse(call, 400, "output_audio_spec: invalid value")
        self._kind: Format = kind

    def say(self, text: str, bounds: tuple[int, int] | None = None) -> dict[str, Any]:
        """Return a piece of speech with the times of its words; `bounds` are the shortest and the longest, in ms."""
        lasts_ms = round(len(text) * LETTER_MS / self._speed)
        if bounds is not None:
            lasts_ms = min(max(lasts_ms, bounds[0]), bounds[1])
        data = spoken(text, lasts_ms, self._kind, begins=self._begins)
        found = {
            "audioChunk": {"data": base64.b64encode(data).decode()},
            "textChunk": {"text": text},
            "startMs": str(self._at_ms),
            "lengthMs": str(lasts_ms),
            "wordTimings": _timings(text, self._at_ms, lasts_ms),
            "chunkType": "AUDIO_TEXT_COMBINED",
        }
        self._at_ms, self._begins = self._at_ms + lasts_ms, False
        return found


class SynthesisDialogue:
    """Speaks a sentence when it is whole, and the rest when it is forced to or the text ends."""

    def __init__(self, surface: YandexSurface, call: Call) -> None:
        """Wait for the options, which come first."""
        self._surface, self._call = surface, call
        self._voice: Voice | None = None
        self._unsaid = ""

    def hear(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """Take an event; return what can be spoken by now."""
        if "options" in event:
            options: dict[str, Any] = event["options"]
            self._voice = Voice(self._surface, self._call, options, options.get("outputAudioSpec") or {})
            return []
        if self._voice is None:
            raise self._surface.refuse(self._call, 400, "options must be the first message")
        if "forceSynthesis" in event:
            return self.end()
        self._unsaid += str(event.get("synthesisInput", {}).get("text", ""))
        *whole, last = _SENTENCE.findall(self._unsaid) or [""]
        self._unsaid = last
        return [self._voice.say(sentence.strip()) for sentence in whole]

    def end(self) -> list[dict[str, Any]]:
        """Return what was not spoken yet."""
        rest, self._unsaid = self._unsaid.strip(), ""
        return [self._voice.say(rest)] if rest and self._voice is not None else []


def _bounded(duration: dict[str, Any], pieces: int) -> tuple[int, int] | None:
    """Return the shortest and the longest that one of the pieces may last."""
    if not duration:
        return None
    share, policy = int(duration.get("durationMs") or 0) // pieces, duration.get("policy")
    return (0 if policy == "MAX_DURATION" else share), (10**6 if policy == "MIN_DURATION" else share)


def _timings(text: str, start_ms: int, lasts_ms: int) -> list[dict[str, Any]]:
    words = text.split()
    step = lasts_ms // max(1, len(words))
    return [
        {"word": word, "startMs": str(start_ms + place * step), "lengthMs": str(step)}
        for place, word in enumerate(words)
    ]
