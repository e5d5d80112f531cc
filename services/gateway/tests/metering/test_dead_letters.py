"""Dead letters: kept, shown, and sent again exactly and once."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from servicekit.errors import Unavailable
from servicekit.testing import FakeClock
from services.gateway import journal_commands
from services.gateway.metering import metrics
from services.gateway.metering.dead_letters import DeadLetters
from services.gateway.metering.journal.journal import Journal
from services.gateway.metering.journal.quarantine import FOLDER
from services.gateway.metering.journal.records import Settled, encode
from services.gateway.metering.operations.inspection import inspect
from services.gateway.metering.operations.replay import replay
from services.gateway.metering.options import MeteringOptions
from services.gateway.metering.settle import usage_record
from services.gateway.metering.shipper import Shipper
from services.gateway.metering.usage_record import Attempt, Rejected, UsageRecord
from services.gateway.tests.metering.test_metering import leave_journal
from services.gateway.tests.metering_kit import Sink, completed, dispatched, facts, ticket


def row(request_id: str) -> UsageRecord:
    """Return a row with attempts."""
    return usage_record(ticket(request_id), facts(), completed(attempts=(Attempt("a", "b", "timeout", 3),)))


def letters_in(folder: Path, *request_ids: str) -> DeadLetters:
    """Return a file with these letters."""
    letters = DeadLetters(folder / "dead-letters.jsonl")
    with capture_logs():
        for request_id in request_ids:
            letters.add(row(request_id), Rejected(request_id, "started_at", "3 days ahead"))
    return letters


async def test_a_replay_is_exact_and_once(tmp_path):
    """The same record to the last field; a second replay sends nothing."""
    letters, sink = letters_in(tmp_path, "r1", "r2"), Sink()

    first, again = await replay(letters, sink.record), await replay(letters, sink.record)

    assert sink.rows == {"r1": row("r1"), "r2": row("r2")}
    assert (len(first.stored), len(again.stored), sink.batches) == (2, 0, [1, 1])


async def test_a_letter_that_is_there_twice_is_sent_once(tmp_path):
    """A batch that was confirmed just before a crash is refused again after it."""
    letters, sink = letters_in(tmp_path, "r1", "r1"), Sink()

    await replay(letters, sink.record)

    assert sink.batches == [1]
    assert letters.waiting() == []


@pytest.mark.parametrize("cut", [1, 40], ids=["its end", "half of it"])
async def test_a_letter_is_not_spoilt_by_a_line_without_its_end(tmp_path, cut):
    """As a power cut leaves one, or an editor: what comes next stands on a line of its own."""
    letters = letters_in(tmp_path, "r1")
    letters.path.write_bytes(letters.path.read_bytes()[:-cut])

    letters_in(tmp_path, "r2")

    assert [letter.record.request_id for letter in letters.waiting()][-1] == "r2"
    assert len(list(letters.read())) == 2


async def test_what_is_still_refused_keeps_waiting(tmp_path):
    """With the reason of today."""
    letters, sink = letters_in(tmp_path, "r1", "poison", "rejected"), Sink()
    sink.poison, sink.rejects = {"poison"}, {"rejected"}

    result = await replay(letters, sink.record)

    assert [letter.record.request_id for letter in result.stored] == ["r1"]
    assert [why.field for _, why in result.refused] == ["records", "cost"]
    assert [letter.record.request_id for letter in letters.waiting()] == ["poison", "rejected"]


async def test_a_replay_that_is_cut_short_goes_on_where_it_was(tmp_path):
    """What was stored is marked at once."""
    letters, sink = letters_in(tmp_path, "r1", "r2"), Sink()

    async def one_then_away(batch):
        sink.is_away = bool(sink.rows)
        return await sink.record(batch)

    with pytest.raises(Unavailable):
        await replay(letters, one_then_away)

    assert [letter.record.request_id for letter in letters.waiting()] == ["r2"]


async def test_the_gauge_counts_what_waits_for_a_person(tmp_path):
    """Also after a restart, and when another process has replayed them."""
    gateways = letters_in(tmp_path, "r1", "r2")
    gateways.observe()
    waiting = metrics.DEAD_LETTERS._value.get()

    await replay(DeadLetters(gateways.path), Sink().record)
    gateways.observe()

    assert (waiting, metrics.DEAD_LETTERS._value.get()) == (2, 0)


async def test_a_file_that_cannot_be_read_is_said_once_and_counted_when_it_can(tmp_path):
    """Somebody's editor has made it root's, or the disk fails: what is done each second besides goes on."""
    letters = letters_in(tmp_path, "r1")
    metrics.DEAD_LETTERS.set(7)
    kept = letters.path.rename(tmp_path / "kept")
    letters.path.mkdir()
    with capture_logs() as logged:
        letters.observe()
        letters.observe()
    told = metrics.DEAD_LETTERS._value.get()
    letters.path.rmdir()
    kept.rename(letters.path)
    letters.observe()

    assert [each["event"] for each in logged] == ["metering.dead_letters_unread"]
    assert (told, metrics.DEAD_LETTERS._value.get()) == (7, 1)


class NoRoom(DeadLetters):
    """A full disk."""

    def add(self, record: UsageRecord, rejected: Rejected) -> None:
        """Refuse."""
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_a_refused_record_without_room_for_its_letter_stays_in_its_segment(tmp_path):
    """Its line was lost: now the segment goes to the quarantine, which takes no room."""
    journal, sink = Journal.open(tmp_path, "boot"), Sink()
    sink.rejects = {"r1"}
    shipper = Shipper(
        journal,
        sink.record,
        NoRoom(tmp_path / "dead-letters.jsonl"),
        clock=FakeClock(),
        rng=random.Random(1),
        options=MeteringOptions(),
    )
    with capture_logs():
        for request_id in ("r0", "r1"):
            journal.append(encode(Settled(row(request_id), ticket(request_id), 1)))
            shipper.wake()
        await shipper.ship_batch()
        journal.close(remove=shipper.pending == 0)

    [kept] = (tmp_path / FOLDER).glob("*.seg")
    assert sink.rows.keys() == {"r0"}
    assert (shipper.accounts.shipped, shipper.accounts.quarantined, shipper.pending) == (1, 1, 0)
    assert any("settled    r1" in line for line in inspect(kept))


def test_inspect_shows_what_is_in_a_journal_and_in_dead_letters(tmp_path, capsys):
    """One line for each record, with what a person needs to judge it."""
    letters_in(tmp_path, "refused")
    leave_journal(tmp_path, dispatched("open"), Settled(row("done"), ticket("done"), 1), ["X"])

    code = journal_commands.run_command("inspect", [str(tmp_path)], lambda: pytest.fail("needs no settings"))

    said = capsys.readouterr().out
    assert code == 0
    assert "dispatched open user=user-1" in said
    assert "settled    done user=user-1 model=yandexgpt:latest status=completed source=provider tokens=10+20" in said
    assert "NO RECORD OF OURS" in said
    assert "line 1: waiting, refused for started_at: 3 days ahead; refused" in said


@pytest.mark.parametrize("arguments", [["inspect"], ["replay", "a", "b"], ["other", "x"]], ids=" ".join)
def test_a_wrong_command_line_says_what_there_is(arguments):
    """Usage, not a traceback."""
    with pytest.raises(SystemExit, match="ship-journals DIR"):
        journal_commands.run_command(arguments[0], arguments[1:], lambda: pytest.fail("needs no settings"))


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    """As with every command."""
    with pytest.raises(SystemExit, match="No such file"):
        journal_commands.run_command("inspect", [f"{tmp_path}/none.seg"], lambda: pytest.fail("needs no settings"))
