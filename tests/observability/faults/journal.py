"""Faults of the journal: of its disk, of its files, and of whoever touches them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.observability.scene import Scene, fault

# Within the last record that was written: it is not confirmed yet.
BYTES_BEFORE_END = 20


def journal_of(scene: Scene) -> Path:
    return scene.stack.parts.home.root / "journal"


def newest_segment(scene: Scene) -> Path:
    return max(journal_of(scene).glob("*/*.seg"), key=lambda each: each.stat().st_mtime)


def flip_a_bit(segment: Path) -> None:
    written = len(segment.read_bytes().rstrip(b"\0"))
    with segment.open("r+b") as file:
        file.seek(written - BYTES_BEFORE_END)
        (byte,) = file.read(1)
        file.seek(written - BYTES_BEFORE_END)
        file.write(bytes([byte ^ 1]))


def clear_quarantine(scene: Scene) -> None:
    for file in (journal_of(scene) / "quarantine").iterdir():
        file.unlink()


@fault("JournalBehind", done="the usage service is stopped", mended="it is started")
def usage_is_away(scene: Scene) -> Iterator[None]:
    scene.stack.stop("usage")
    assert scene.ask("yandexgpt-lite") == 200
    yield
    scene.stack.start("usage")


@fault(
    "JournalNotReady",
    done="a bit flips in a gateway's own journal, before its records are confirmed",
    mended="the gateway is restarted, and the file moved out of the quarantine",
)
def its_own_journal_is_damaged(scene: Scene) -> Iterator[None]:
    scene.stack.stop("usage")
    for _ in range(3):
        scene.ask("yandexgpt-lite")
    flip_a_bit(newest_segment(scene))
    scene.stack.start("usage")
    scene.meanwhile = lambda: scene.ask("yandexgpt-lite")
    yield
    scene.stack.kill("gateway")
    scene.stack.wait_until_ready()
    clear_quarantine(scene)


@fault(
    "JournalDamaged",
    "JournalInQuarantine",
    done="the gateway is killed, and a bit of its journal flips",
    mended="file and note are moved out of the quarantine",
)
def a_bit_flips(scene: Scene) -> Iterator[None]:
    scene.stack.stop("usage")
    for _ in range(3):
        scene.ask("yandexgpt-lite")
    segment = newest_segment(scene)
    psutil.Process(scene.stack.pid("gateway")).kill()
    flip_a_bit(segment)
    scene.stack.start("usage")
    scene.stack.wait_until_ready()
    yield
    clear_quarantine(scene)


@fault(
    "JournalFilesTakenAway",
    done="somebody removes the journal's files under the running gateway",
    mended="nobody does it again",
)
def files_are_taken_away(scene: Scene) -> Iterator[None]:
    assert scene.ask("yandexgpt-lite") == 200
    for file in journal_of(scene).glob("*/*.seg"):
        file.unlink()
    scene.meanwhile = lambda: scene.ask("yandexgpt-lite")
    yield
