"""The events of `make chaos` do what they say, and end again."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tools.chaos.accounts import read_kept_aside
from tools.chaos.events import NOBODY, Events, Kind


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for a gateway."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def events(folder: Path, pid: int = 0, clock: Path | None = None) -> Events:
    return Events(lambda: {"gateway": pid} if pid else {}, folder, clock, random.Random(3))


def segment(folder: Path, content: bytes) -> Path:
    path = folder / "boot" / "00000001.seg"
    path.parent.mkdir()
    path.write_bytes(content)
    return path


def test_a_paused_process_runs_on(tmp_path: Path, victim: subprocess.Popen[bytes]) -> None:
    """It is stopped for a while, then it continues."""
    assert events(tmp_path, victim.pid).happen(Kind.PAUSE) == "gateway"

    assert psutil.Process(victim.pid).status() != psutil.STATUS_STOPPED


def test_one_bit_of_the_journal_is_turned(tmp_path: Path, victim: subprocess.Popen[bytes]) -> None:
    """After the gateway was killed, one bit differs and no more."""
    before = bytes(range(200))
    path = segment(tmp_path, before)

    assert events(tmp_path, victim.pid).happen(Kind.FLIP) == "gateway"

    assert victim.wait(10) == -9
    differing = [a ^ b for a, b in zip(before, path.read_bytes(), strict=True) if a != b]
    assert [value.bit_count() for value in differing] == [1]


def test_a_torn_tail_leaves_what_was_written(tmp_path: Path, victim: subprocess.Popen[bytes]) -> None:
    """Half a frame follows; what stood before stands."""
    before = bytes(range(200))
    path = segment(tmp_path, before)

    events(tmp_path, victim.pid).happen(Kind.TEAR)

    after = path.read_bytes()
    assert after.startswith(before)
    assert len(after) > len(before)


def test_a_clock_is_set_right_again(tmp_path: Path) -> None:
    """All programs read the file; without it nobody is hit."""
    clock = tmp_path / "clock"

    assert events(tmp_path, clock=clock).happen(Kind.CLOCK) == "all"
    assert clock.read_text() == "+0\n"
    assert events(tmp_path).happen(Kind.CLOCK) == NOBODY


def test_nobody_is_hit_where_nothing_runs(tmp_path: Path) -> None:
    """An event that finds no victim says so."""
    for kind in (Kind.KILL, Kind.PAUSE, Kind.FLIP, Kind.TEAR):
        assert events(tmp_path).happen(kind) == NOBODY


def test_only_what_was_put_aside_accounts_for_an_answer(tmp_path: Path) -> None:
    """The quarantine and the dead letters count, a living journal does not: its rows are to arrive."""
    segment(tmp_path, b"living-id")
    (tmp_path / "quarantine").mkdir()
    (tmp_path / "quarantine" / "x.seg").write_bytes(b"\x00damaged-id\x01")
    (tmp_path / "dead-letters.jsonl").write_text('{"request_id": "refused-id"}\n')

    aside = read_kept_aside(tmp_path)

    assert [name in aside for name in (b"living-id", b"damaged-id", b"refused-id")] == [False, True, True]
