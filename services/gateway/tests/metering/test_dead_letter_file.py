"""The file of dead letters, line by line."""

from __future__ import annotations

import hashlib
import json
import stat

import msgspec
import pytest
from structlog.testing import capture_logs

from services.gateway.metering import metrics
from services.gateway.metering.dead_letters import DeadLetter, DeadLetters, UnreadableLine
from services.gateway.metering.usage_record import Rejected, UsageRecord
from services.gateway.tests.metering.journal.test_segments import opened_in
from services.gateway.tests.metering.test_journal import files_no_larger_than
from services.gateway.tests.metering.test_usage_record import full_record

WHY = Rejected("r1", "cost", "too much")


def test_a_letter_is_read_back_as_it_was_written(tmp_path):
    """By names, for its owner only, counted and said."""
    letters, before = DeadLetters(tmp_path / "dead.jsonl"), metrics.DEAD_LETTERED._value.get()

    with capture_logs() as logged:
        letters.add(full_record(), WHY)
        letters.add(full_record(), WHY)

    lines = letters.path.read_bytes().splitlines()
    digest = hashlib.sha256(lines[0]).hexdigest()
    assert [*letters.read()] == [DeadLetter(number, digest, WHY, full_record()) for number in (1, 2)]
    assert list(json.loads(lines[0])["record"]) == list(UsageRecord.__struct_fields__)
    assert stat.S_IMODE(letters.path.stat().st_mode) == 0o600
    assert metrics.DEAD_LETTERED._value.get() == before + 2
    said = ("metering.dead_letter", full_record().request_id, "cost", "too much")
    assert [(each["event"], each["request_id"], each["field"], each["error"]) for each in logged] == [said] * 2


def test_a_line_that_is_none_of_ours_is_told_with_its_number(tmp_path):
    """Those around it are read; of an earlier version later fields are zeros, and a bill must be whole."""
    letters = DeadLetters(tmp_path / "dead.jsonl")
    assert [*letters.read()] == []
    with capture_logs():
        letters.add(full_record(), WHY)
    whole = json.loads(letters.path.read_bytes())
    older = {**whole, "record": {**whole["record"]}}
    newest = UsageRecord.__struct_fields__[-1]
    del older["record"][newest]
    poor = {**whole, "record": {"request_id": "r1"}}
    text = "\n".join([json.dumps(whole), "?", json.dumps(older), json.dumps(poor)])
    torn = json.dumps(whole).encode().replace(b"too much", b"\xff")
    letters.path.write_bytes(text.encode() + b"\n" + torn)

    first, bad, old, less, no_text = letters.read()

    assert isinstance(first, DeadLetter)
    assert isinstance(old, DeadLetter)
    assert old.record == msgspec.structs.replace(full_record(), **{newest: type(getattr(old.record, newest))()})
    assert (first.number, old.number) == (1, 3)
    assert isinstance(bad, UnreadableLine)
    assert (bad.number, "malformed" in bad.reason) == (2, True)
    assert less == UnreadableLine(4, "1 fields are no UsageRecord")
    assert isinstance(no_text, UnreadableLine)


def test_half_a_line_is_taken_back(tmp_path):
    """It would spoil the next one; what was there before stays."""
    letters = DeadLetters(tmp_path / "dead.jsonl")
    with capture_logs():
        letters.add(full_record(), WHY)
        before = letters.path.read_bytes()
        with files_no_larger_than(len(before) + 10), pytest.raises(OSError, match="No space left on device"):
            letters.add(full_record(), WHY)
        after = letters.path.read_bytes()
        letters.add(full_record(), WHY)

    assert after == before
    assert letters.path.read_bytes() == before * 2
    assert opened_in(tmp_path) == []
