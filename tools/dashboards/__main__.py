"""Write `deploy/observability/dashboards`, or check it: `python -m tools.dashboards [--check]`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from tools.dashboards import identities, providers, service, usage
from tools.dashboards.board import json_of

FOLDER: Final = Path(__file__).parents[2] / "deploy" / "observability" / "dashboards"
BOARDS: Final = (
    identities.BOARD,
    providers.COMPARISON,
    providers.YANDEX,
    usage.BOARD,
    service.OBJECTIVES,
    service.WAY,
    service.CAPACITY,
)


def files() -> dict[Path, str]:
    """Return what the folder must hold."""
    return {FOLDER / f"{board.uid}.json": json_of(board) for board in BOARDS}


def main(arguments: list[str]) -> int:
    """Write or check the files and return the exit code."""
    expected = files()
    if "--check" not in arguments:
        for path, text in expected.items():
            path.write_text(text)
        return 0
    found = {path: path.read_text() for path in FOLDER.glob("*.json")}
    if found == expected:
        return 0
    print(f"{FOLDER} differs from tools/dashboards: make dashboards", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
