"""Estimates token counts from upper bounds by a ratio learned from providers' usage, for each model and script.

A bound that holds for every tokenizer is three times what prose has. So the shares that prompts have really used are
counted, in a sketch of a fixed size a model and script, and the largest of them, rare outliers apart, is told: whoever
holds money for a prompt holds that much. Until enough is known nothing is told, and the bound itself counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SCRIPTS: Final = ("cyrillic", "latin", "digits", "signs", "other")
# Of a short prompt most tokens are the template's.
LEAST_BOUND: Final = 200
LEAST_SAMPLES: Final = 200
# From so many samples on, older ones count half: what changes is noticed, what is rare is not forgotten at once.
MOST_SAMPLES: Final = 8192
BUCKETS: Final = 40
OUTLIERS: Final = 0.001


class ShareSketch:
    """A histogram of shares between 0 and 1."""

    __slots__ = ("_counts", "_samples")

    def __init__(self) -> None:
        self._counts = [0] * BUCKETS
        self._samples = 0

    def add(self, share: float) -> None:
        """Count one share."""
        self._counts[min(int(share * BUCKETS), BUCKETS - 1)] += 1
        self._samples += 1
        if self._samples >= MOST_SAMPLES:
            self._counts = [count // 2 for count in self._counts]
            self._samples = sum(self._counts)

    def upper(self) -> float | None:
        """Return the share that all but outliers stay under, a bucket's width of margin included; None: too few."""
        if self._samples < LEAST_SAMPLES:
            return None
        above = 0
        for bucket in range(BUCKETS - 1, -1, -1):
            above += self._counts[bucket]
            if above > self._samples * OUTLIERS:
                return min(1.0, (bucket + 2) / BUCKETS)
        return None


class TokenShares:
    """The sketches of all models; bounded by the catalogue's models times the scripts."""

    def __init__(self) -> None:
        self._sketches: dict[tuple[str, str], ShareSketch] = {}

    def learn(self, model_id: str, script: str, *, bound: int, tokens: int) -> None:
        """Count a prompt: the script most of it is in, the most tokens it can be, the tokens that it was."""
        if script in SCRIPTS and bound >= LEAST_BOUND:
            sketch = self._sketches.get((model_id, script))
            if sketch is None:
                sketch = self._sketches[model_id, script] = ShareSketch()
            sketch.add(tokens / bound)

    def of(self, model_id: str) -> Mapping[str, float]:
        """Return what is known of a model, by script."""
        told = {
            script: self._sketches[model_id, script].upper()
            for script in SCRIPTS
            if (model_id, script) in self._sketches
        }
        return {script: share for script, share in told.items() if share is not None}
