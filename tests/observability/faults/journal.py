"""Faults of the journal: of its disk, of its files, and of whoever touches them."""

from __future__ import annotations

import re
import resource
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

from services.gateway.metering.journal.frames import Frame, frame, frames
from services.gateway.metering.journal.records import Progress, Settled, decode, encode
from tests.integration.waiting import wait_until
from tests.observability.scene import Scene, fault

# Within the last record that was written: it is not confirmed yet.
BYTES_BEFORE_END = 20


def journal_of(scene: Scene) -> Path:
    return scene.stack.parts.home.root / "journal"


def newest_segment(scene: Scene) -> Path:
    return max(journal_of(scene).glob("*/*.seg"), key=lambda each: each.stat().st_mtime)


def serve_and_ship_nothing(scene: Scene) -> None:
    """Leave answers in the journal: the first is on its way to the usage service when the others are written."""
    scene.stack.stop("usage")
    before = ship_retries(scene)
    assert scene.ask("yandexgpt-lite") == 200
    # Else a batch that gathers takes the others along: nobody reads them in the journal again.
    wait_until(lambda: ship_retries(scene) > before)
    for _ in range(2):
        assert scene.ask("yandexgpt-lite") == 200


def ship_retries(scene: Scene) -> float:
    (found,) = re.findall(r"^razvilka_gateway_usage_ship_retries_total (\S+)$", scene.metrics("gateway"), re.MULTILINE)
    return float(found)


def flip_a_bit(segment: Path) -> None:
    written = len(segment.read_bytes().rstrip(b"\0"))
    with segment.open("r+b") as file:
        file.seek(written - BYTES_BEFORE_END)
        (byte,) = file.read(1)
        file.seek(written - BYTES_BEFORE_END)
        file.write(bytes([byte ^ 1]))


def restart_gateway(scene: Scene) -> None:
    scene.stack.kill("gateway")
    scene.stack.wait_until_ready()


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
    serve_and_ship_nothing(scene)
    flip_a_bit(newest_segment(scene))
    scene.stack.start("usage")
    scene.meanwhile = lambda: scene.ask("yandexgpt-lite")
    yield
    restart_gateway(scene)
    clear_quarantine(scene)


@fault(
    "JournalDamaged",
    "JournalInQuarantine",
    done="the gateway is killed, and a bit of its journal flips",
    mended="file and note are moved out of the quarantine",
)
def a_bit_flips(scene: Scene) -> Iterator[None]:
    serve_and_ship_nothing(scene)
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


def begin_a_slow_answer(scene: Scene) -> threading.Thread:
    """Ask for an answer that takes eight seconds, and return when it is being made."""
    scene.providers.fail("latency", provider="yandex", ms=8000)
    asking = threading.Thread(target=lambda: scene.ask("yandexgpt-lite"))
    asking.start()
    wait_until(lambda: "razvilka_gateway_in_flight 1.0" in scene.metrics("gateway"))
    return asking


@fault(
    "JournalFilling",
    done="the gateway's quota of disk is used up while an answer is made, and the usage service is stopped",
    mended="the quota is raised, and usage is started",
)
def the_quota_is_used_up(scene: Scene) -> Iterator[None]:
    asking = begin_a_slow_answer(scene)
    scene.stack.stop("usage")
    gateway = psutil.Process(scene.stack.pid("gateway"))
    gateway.rlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    yield
    asking.join()
    gateway.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_until(lambda: "journal_in_memory_records 0.0" in scene.metrics("gateway"))
    scene.stack.start("usage")


@fault(
    "RecordsUnaccounted",
    done="somebody writes over the end of a request in the journal, before it is shipped",
    mended="the journal is copied, and the gateway restarted: it bills the request from what is left of it",
)
def an_end_is_written_over(scene: Scene) -> Iterator[None]:
    serve_and_ship_nothing(scene)
    request_id = write_over_last_end(newest_segment(scene))
    scene.stack.start("usage")
    yield
    shutil.copytree(journal_of(scene), scene.archive.with_name("kept-journal"))
    restart_gateway(scene)
    wait_until(lambda: scene.stack.query("SELECT 1 FROM usage.usage WHERE id::text = $1", request_id))


def write_over_last_end(segment: Path) -> str:
    """Put a note of the same request in place of the last record of an end; return the request's id."""
    found, settled = [
        (each, record) for each in frames(segment.read_bytes()) if isinstance(record := decode(each.payload), Settled)
    ][-1]
    note = encode(Progress(settled.ticket.request_id, settled.record.tokens_output))
    with segment.open("r+b") as file:
        file.seek(found.start)
        file.write(frame(padded(note, found), found.ordinal))
    return settled.ticket.request_id


def padded(note: bytes, found: Frame) -> bytes:
    """Return the record with one more field, so that it is as long as what it replaces."""
    # An array of one more, and a byte string with a length of two bytes.
    return bytes([note[0] + 1]) + note[1:] + b"\xc5" + filler(len(found.payload) - len(note) - 3)


def filler(size: int) -> bytes:
    return size.to_bytes(2, "big") + b"\0" * size
