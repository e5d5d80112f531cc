"""The matrix as a table of docs/reliability.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from emulator.wire.fault_modes import FORMS, FaultMode
from tests.integration.faults.matrix import PROVIDERS, Cell, Outcome

BEGIN: Final = "<!-- the fault matrix begins; written by `make fault-matrix` -->\n"
END: Final = "<!-- the fault matrix ends -->\n"
_HEAD: Final = """\
| mode | form | plain | plain, fallback | stream | stream, fallback |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a cell became."""

    status: int
    code: str
    replaced: bool
    is_free: bool

    def said(self) -> str:
        """Return it in the words of the page."""
        if self.status != 200:
            return f"{self.status} `{self.code}`, free"
        if self.code:
            return f"cut: `{self.code}`, billed so far"
        if self.replaced:
            return "whole, by the fallback"
        return "whole, free" if self.is_free else "whole"


def written_into(text: str, seen: Mapping[str, Seen]) -> str:
    """Return the page with the table of what was seen."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{_table(seen)}{END}{after}"


def _table(seen: Mapping[str, Seen]) -> str:
    return _HEAD + "".join(_row(mode, form, seen) for mode, forms in FORMS.items() for form in forms)


def _row(mode: FaultMode, form: str, seen: Mapping[str, Seen]) -> str:
    shapes = [(stream, fallback) for stream in (False, True) for fallback in (False, True)]
    cells = [_cell(mode, form, stream, fallback, seen) for stream, fallback in shapes]
    return f"| {mode.replace('_', ' ')} | `{form}` | {' | '.join(cells)} |\n"


def _cell(mode: FaultMode, form: str, stream: bool, fallback: bool, seen: Mapping[str, Seen]) -> str:
    """Return what was seen at all providers, or what may be seen where the network decides."""
    cells = [Cell(mode, form, provider, stream, fallback) for provider in PROVIDERS]
    if len(cells[0].outcomes) > 1:
        return " or ".join(_possible(outcome, fallback) for outcome in cells[0].outcomes)
    return "; ".join(dict.fromkeys(seen[cell.name].said() for cell in cells))


def _possible(outcome: Outcome, fallback: bool) -> str:
    return Seen(outcome.status, outcome.code, replaced=fallback and outcome.is_whole, is_free=False).said()
