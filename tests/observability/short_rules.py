"""The rules as they are, sixty times faster: what takes an hour at night takes a minute in a test."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tests.observability.servers import RULES

FASTER: Final = 60
SECONDS: Final = {"m": 60, "h": 3600, "d": 86400}
# A rate needs some scrapes, one a second; and nothing in a test takes longer than a minute.
SHORTEST_WINDOW_S, LONGEST_WINDOW_S = 5, 20
SHORTEST_FOR_S, LONGEST_FOR_S = 1, 10
WINDOW: Final = re.compile(r"\[(\d+)([mhd])\]")
# How young a process is whose whole count is new; its first seconds pass before it is scraped.
YOUNG: Final = re.compile(r"process_start_time_seconds < (\d+)")
SHORTEST_YOUTH_S: Final = 20
LASTING: Final = re.compile(r"for: (\d+)([mhd])")
# Ages that an expression compares with a number of seconds.
AGES: Final = (
    ("razvilka_gateway_journal_oldest_unacked_seconds > 300", "razvilka_gateway_journal_oldest_unacked_seconds > 3"),
    ("checked_timestamp_seconds) > 1800", "checked_timestamp_seconds) > 5"),
    ("queue_wait_seconds_bucket[10s]))) > 10", "queue_wait_seconds_bucket[10s]))) > 1"),
)


def written_to(folder: Path) -> list[Path]:
    """Write the shortened rules into the folder and return their files."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for source in sorted(RULES.glob("*.yaml")):
        file = folder / source.name
        file.write_text(shortened(source.read_text()))
        made.append(file)
    return made


def shortened(text: str) -> str:
    """Return rules with all their windows, waits and ages shortened."""
    text = WINDOW.sub(lambda found: f"[{_short(found, SHORTEST_WINDOW_S, LONGEST_WINDOW_S)}s]", text)
    text = LASTING.sub(lambda found: f"for: {_short(found, SHORTEST_FOR_S, LONGEST_FOR_S)}s", text)
    text = YOUNG.sub(
        lambda found: f"process_start_time_seconds < {max(int(found[1]) // FASTER, SHORTEST_YOUTH_S)}", text
    )
    for before, after in AGES:
        text = text.replace(before, after)
    return text


def _short(found: re.Match[str], least: int, most: int) -> int:
    seconds = int(found.group(1)) * SECONDS[found.group(2)]
    return min(max(seconds // FASTER, least), most)
