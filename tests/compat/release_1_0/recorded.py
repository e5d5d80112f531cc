"""Recorded exchanges: what a client of release 1.0 sent, and what it read in the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent / "exchanges"


@dataclass(frozen=True, slots=True)
class Recorded:
    """An exchange.

    Attributes:
        key: which credential is sent: `own`, `wrong` or `none`.
        takes: value of the path by its name -> exchange and pointer that it is read from.
        same: JSON pointers into the answer's body whose values are part of the contract, not only their types.
        needs: what only an emulated provider can do: `emulator`; else "".
        events: for a stream, the data of each event; `[DONE]` is not JSON.
    """

    name: str
    method: str
    path: str
    status: int
    key: str = "own"
    body: Any = None
    raw_body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    answer: Any = None
    events: Sequence[Any] = ()
    same: Sequence[str] = ()
    takes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    needs: str = ""


def recorded(folder: Path = FOLDER) -> dict[str, Recorded]:
    """Return all exchanges by name."""
    found = [Recorded(name=path.stem, **json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]
    return {each.name: each for each in found}
