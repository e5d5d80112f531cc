"""What a person finds in the quarantine."""

from __future__ import annotations

import os
import stat
import time

import msgspec
from structlog.testing import capture_logs

from services.gateway.metering import metrics
from services.gateway.metering.journal.quarantine import Note, Quarantine
from services.gateway.metering.journal.segments import Fault

FAULTS = [Fault(3, 40, 2, "damaged"), Fault(50, 60, 0, "no record of ours")]


def dead_segment(tmp_path, content: bytes):
    """Return a segment of a boot that is over."""
    path = tmp_path / "boot-7" / "00000003.seg"
    path.parent.mkdir()
    path.write_bytes(content)
    return path


def test_a_segment_is_moved_with_a_note_of_what_is_wrong(tmp_path):
    """Named by its boot and its number; the gauge, the log and the note say so."""
    path = dead_segment(tmp_path, b"content")
    quarantine = Quarantine(tmp_path)
    assert (quarantine.count, metrics.QUARANTINE._value.get()) == (0, 0)
    before = int(time.time())

    with capture_logs() as logged:
        quarantine.take(path, FAULTS)

    kept = tmp_path / "quarantine" / "boot-7-00000003.seg"
    note = msgspec.json.decode(kept.with_suffix(".json").read_bytes(), type=Note)
    assert kept.read_bytes() == b"content"
    assert not path.exists()
    assert (note.boot_id, note.segment, note.faults) == ("boot-7", 3, tuple(FAULTS))
    assert before <= note.set_aside_at_unix_s <= time.time()
    assert (quarantine.count, metrics.QUARANTINE._value.get()) == (1, 1)
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    [said] = logged
    assert (said["event"], said["file"]) == ("journal.quarantined", str(kept))
    assert said["faults"] == [msgspec.to_builtins(fault) for fault in FAULTS]


def test_a_segment_that_is_still_open_is_moved_too(tmp_path):
    """While its name is its own."""
    path = dead_segment(tmp_path, b"content")
    descriptor = os.open(path, os.O_RDONLY)

    Quarantine(tmp_path).take(path, FAULTS, descriptor)

    kept = tmp_path / "quarantine" / "boot-7-00000003.seg"
    assert os.path.samestat(kept.stat(), os.fstat(descriptor))
    assert not path.exists()


def test_a_segment_whose_name_is_gone_is_copied_whole(tmp_path):
    """From its descriptor, however long it is; what has its name by now stays."""
    content = bytes(range(256)) * 12_000
    path = dead_segment(tmp_path, content)
    descriptor = os.open(path, os.O_RDONLY)
    path.unlink()
    path.write_bytes(b"another")

    Quarantine(tmp_path).take(path, FAULTS, descriptor)

    assert (tmp_path / "quarantine" / "boot-7-00000003.seg").read_bytes() == content
    assert path.read_bytes() == b"another"
