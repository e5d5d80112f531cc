"""What a recogniser says of the speech that it has heard: words with their times, labels, statistics."""

import statistics
import zlib
from dataclasses import dataclass, field
from typing import Any, Final

_LABELS: Final = ("positive", "negative")
# When a classifier is asked, and what its answer calls that.
WINDOWS: Final = {"ON_UTTERANCE": "LAST_UTTERANCE", "ON_FINAL": "LAST_FINAL", "ON_PARTIAL": "LAST_PARTIAL"}


@dataclass(frozen=True, slots=True)
class Utterance:
    """A piece of speech between two pauses; times are from the beginning of the session."""

    text: str
    start_ms: int
    end_ms: int

    @property
    def heard(self) -> str:
        """The words alone, as they are before the text is made ready for reading."""
        return "".join(sign for sign in self.text.lower() if sign.isalnum() or sign == " ").strip()

    def update(self, text: str) -> dict[str, Any]:
        """Return a text of this utterance as the one alternative that there is."""
        words = text.split()
        step = (self.end_ms - self.start_ms) // max(1, len(words))
        starts = [self.start_ms + place * step for place in range(len(words))]
        timed = [
            {"text": word, "startTimeMs": str(start), "endTimeMs": str(start + step)}
            for word, start in zip(words, starts, strict=True)
        ]
        languages = [{"languageCode": "ru-RU", "probability": 1.0}]
        bounds = {"startTimeMs": str(self.start_ms), "endTimeMs": str(self.end_ms)}
        return {"alternatives": [{"words": timed, "text": text, "confidence": 1.0, "languages": languages, **bounds}]}

    def classified(self, name: str, window: str) -> dict[str, Any]:
        """Return what a classifier says."""
        share = zlib.crc32(f"{name}|{self.text}".encode()) % 101 / 100
        labels = [{"label": label, "confidence": part} for label, part in zip(_LABELS, (share, 1 - share), strict=True)]
        bounds = {"startTimeMs": str(self.start_ms), "endTimeMs": str(self.end_ms)}
        return {"windowType": window, **bounds, "classifierResult": {"classifier": name, "labels": labels}}


@dataclass(slots=True)
class Statistics:
    """Counts over the utterances of a session."""

    quantiles: list[float]
    utterances: list[Utterance] = field(default_factory=list)

    def speaker(self, window: str, lasts_ms: int) -> dict[str, Any]:
        """Return the analysis of the one speaker, over the last utterance or the session so far."""
        chosen = self.utterances[-1:] if window == "LAST_UTTERANCE" else self.utterances
        speech_ms = [max(1, one.end_ms - one.start_ms) for one in chosen]
        words = [len(one.text.split()) for one in chosen]
        letters = [sum(sign.isalpha() for sign in one.text) for one in chosen]
        total = sum(speech_ms)
        whole_ms = max(total, lasts_ms) if window == "TOTAL" else total
        return {
            "speakerTag": "0",
            "windowType": window,
            "speechBoundaries": {"startTimeMs": str(chosen[0].start_ms), "endTimeMs": str(chosen[-1].end_ms)},
            "totalSpeechMs": str(total),
            "speechRatio": total / whole_ms,
            "totalSilenceMs": str(whole_ms - total),
            "silenceRatio": 1 - total / whole_ms,
            "wordsCount": str(sum(words)),
            "lettersCount": str(sum(letters)),
            "wordsPerSecond": self._described([1000 * n / ms for n, ms in zip(words, speech_ms, strict=True)]),
            "lettersPerSecond": self._described([1000 * n / ms for n, ms in zip(letters, speech_ms, strict=True)]),
            "wordsPerUtterance": self._described(words),
            "lettersPerUtterance": self._described(letters),
            "utteranceCount": str(len(chosen)),
            "utteranceDurationEstimation": self._described(speech_ms),
        }

    def conversation(self, lasts_ms: int) -> dict[str, Any]:
        """Return the analysis of all speakers, of whom there is one: nobody is interrupted."""
        total = sum(one.end_ms - one.start_ms for one in self.utterances)
        silence = max(0, lasts_ms - total)
        whole = max(1, total + silence)
        return {
            "conversationBoundaries": {"startTimeMs": "0", "endTimeMs": str(lasts_ms)},
            "totalSimultaneousSilenceDurationMs": str(silence),
            "totalSimultaneousSilenceRatio": silence / whole,
            "totalSpeechDurationMs": str(total),
            "totalSpeechRatio": total / whole,
        }

    def _described(self, values: list[Any]) -> dict[str, Any]:
        ordered = sorted(values)
        quantiles = [
            {"level": level, "value": ordered[min(len(ordered) - 1, int(level * len(ordered)))]}
            for level in self.quantiles
        ]
        deviation = statistics.pstdev(ordered)
        return {
            "min": ordered[0], "max": ordered[-1], "mean": statistics.fmean(ordered), "std": deviation,
            "quantiles": quantiles,
        }  # fmt: skip
