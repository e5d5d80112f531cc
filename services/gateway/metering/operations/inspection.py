"""Says in lines what is in a segment, a file in quarantine, a dead-letter file, or a folder of these."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from services.gateway.metering.dead_letters import DeadLetters, UnreadableLine
from services.gateway.metering.journal.frames import Frame, walk
from services.gateway.metering.journal.place import read_marks
from services.gateway.metering.journal.quarantine import NOTE_SUFFIX, Note
from services.gateway.metering.journal.records import Dispatched, JournalRecord, Progress, Settled, decode
from services.gateway.metering.journal.segments import DEAD_LETTERS, MARKS, SUFFIX
from services.gateway.metering.usage_record import UsageRecord

_KINDS: Final = (SUFFIX, ".jsonl")


def inspect(path: Path) -> Iterator[str]:
    """Yield what a file, or each file of a folder, holds.

    Raises:
        OSError: it cannot be read.
    """
    if not path.is_dir():
        yield from _file(path)
        return
    for each in sorted(path.rglob("*")):
        if each.suffix in _KINDS and each.is_file():
            yield from _file(each)


def _file(path: Path) -> Iterator[str]:
    yield f"{path}:"
    if path.suffix == SUFFIX:
        yield from _segment(path)
    elif path.name.endswith(Path(DEAD_LETTERS).suffix):
        yield from _dead_letters(path)
    else:
        yield f"  neither a segment (*{SUFFIX}) nor dead letters (*.jsonl)"


def _segment(path: Path) -> Iterator[str]:
    yield from _note(path.with_suffix(NOTE_SUFFIX))
    marks = read_marks(path.parent) if (path.parent / MARKS).exists() else None
    if marks is not None:
        yield f"  confirmed up to segment {marks.confirmed.segment}, offset {marks.confirmed.offset}"
    data = path.read_bytes()
    for found in walk(lambda size, offset: data[offset : offset + size], 0, len(data)):
        if isinstance(found, Frame):
            yield f"  {found.start:>9} #{found.ordinal} {_record(found.payload)}"
        else:
            is_empty = not data[found.start : found.end].strip(b"\0")
            what = "not written" if is_empty else "UNREADABLE"
            yield f"  {found.start:>9} {what}, {found.end - found.start} bytes"


def _note(path: Path) -> Iterator[str]:
    if not path.exists():
        return
    note = msgspec.json.decode(path.read_bytes(), type=Note)
    when = datetime.fromtimestamp(note.set_aside_at_unix_s, UTC).isoformat()
    yield f"  set aside at {when}: segment {note.segment} of boot {note.boot_id}"
    for fault in note.faults:
        yield f"  {fault.start:>9} to {fault.end}: {fault.reason}, {fault.missing} frames missing"


def _dead_letters(path: Path) -> Iterator[str]:
    letters = DeadLetters(path)
    waiting = {letter.number for letter in letters.waiting()}
    for each in letters.read():
        if isinstance(each, UnreadableLine):
            yield f"  line {each.number}: UNREADABLE: {each.reason}"
        else:
            state = "waiting" if each.number in waiting else "stored"
            why = f"refused for {each.why.field}: {each.why.message}"
            yield f"  line {each.number}: {state}, {why}; {_row(each.record)}"


def _record(payload: bytes) -> str:
    try:
        return _in_words(decode(payload))
    except msgspec.DecodeError as exc:
        return f"NO RECORD OF OURS ({exc}): {payload[:64].hex()}"


def _in_words(record: JournalRecord) -> str:
    if isinstance(record, Dispatched):
        return f"dispatched {record.ticket.request_id} user={record.ticket.user_id}"
    if isinstance(record, Progress):
        return f"progress   {record.request_id} delivered={record.delivered_tokens}"
    if isinstance(record, Settled):
        return f"settled    {_row(record.record)}"
    return f"voided     {record.request_id}"


def _row(row: UsageRecord) -> str:
    return (
        f"{row.request_id} user={row.user_id} model={row.model} status={row.status.name.lower()} "
        f"source={row.source.name.lower()} tokens={row.tokens_input}+{row.tokens_output} cost={row.cost_micro_rub} µ₽"
    )
