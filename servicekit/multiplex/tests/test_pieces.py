"""The parts of a shared RPC by themselves: the outbox, one call."""

from __future__ import annotations

import asyncio

import pytest

from servicekit.call import CallContext
from servicekit.errors import Unavailable
from servicekit.multiplex.client_call import ClientCall
from servicekit.multiplex.loop_lag import LoopLag
from servicekit.multiplex.outbox import Outbox
from servicekit.tracing import begin_trace


class Written:
    """Keeps the messages of an outbox, whose writer runs as a task."""

    def __init__(self) -> None:
        self.messages: list[list[str]] = []
        self.outbox: Outbox[str] = Outbox(self.write, message_bytes=10)
        self.task = asyncio.ensure_future(self.outbox.run())

    async def write(self, frames: list[str]) -> None:
        self.messages.append(frames)
        await asyncio.sleep(0)

    async def end(self) -> list[list[str]]:
        self.outbox.close()
        await self.task
        return self.messages


async def test_frames_of_one_turn_share_a_message_and_a_large_one_goes_alone() -> None:
    """In order, none above the bound but a frame that is so by itself."""
    written = Written()
    for name, size in (("a", 1), ("b", 9), ("c", 1), ("large", 99), ("d", 1)):
        written.outbox.send(name, size)

    assert await written.end() == [["a", "b"], ["c"], ["large"], ["d"]]


async def test_a_frame_is_taken_back_for_as_long_as_it_is_not_being_written() -> None:
    """It leaves no hole: what follows it may share the message that it would have filled."""
    written = Written()
    numbers = {name: written.outbox.send(name, size) for name, size in (("a", 1), ("large", 9), ("b", 1), ("c", 8))}

    assert written.outbox.withdraw(numbers["large"])
    assert await written.end() == [["a", "b", "c"]]
    assert not written.outbox.withdraw(numbers["large"])
    assert not written.outbox.withdraw(numbers["a"])


class Carried:
    """Stands for the RPC; keeps what the call asks of it."""

    def __init__(self) -> None:
        self.left = 0
        self.granted: list[int] = []

    def leave(self, call: ClientCall) -> None:
        self.left += 1

    def grant(self, call: ClientCall, size: int) -> None:
        self.granted.append(size)


KEEPS_UP = LoopLag(behind_s=3600.0, hold_s=3600.0)
# A wait of an hour would not end in time.
IS_BEHIND = LoopLag(behind_s=0.0, hold_s=3600.0)


def new_call(*, window: int, deadline_s: float = 60.0, lag: LoopLag = KEEPS_UP) -> tuple[ClientCall, Carried]:
    context = CallContext("request-7", begin_trace(None))
    call = ClientCall("Parts", b"", size=0, window=window, deadline_s=deadline_s, context=context, lag=lag)
    carried = Carried()
    call.begin(carried, 1)
    return call, carried


async def test_a_server_that_ignores_the_credit_loses_that_call() -> None:
    """What came within the window can still be taken; memory stays bounded."""
    call, carried = new_call(window=10)
    for part in (b"a" * 6, b"b" * 6, b"c" * 6, b"d" * 6):
        call.receive(part, len(part))

    assert await call.read() == [b"a" * 6, b"b" * 6]
    with pytest.raises(Unavailable):
        await call.read()
    assert carried.left == 1


async def test_credit_is_given_by_half_windows_and_for_what_was_taken_only() -> None:
    """A reader that keeps up costs few frames; one that stands still gives none."""
    call, carried = new_call(window=10)
    call.receive(b"aaaa", 4)
    before_taking = list(carried.granted)
    await call.read()
    call.receive(b"bbb", 3)
    await call.read()

    assert before_taking == []
    assert carried.granted == [7]


async def test_a_call_ends_once() -> None:
    """After its end neither a response, an error nor leaving changes how it ended."""
    call, carried = new_call(window=10)
    call.receive(b"a", 1)
    call.end()
    call.end(Unavailable.__new__(Unavailable))
    call.receive(b"b", 1)
    call.leave()

    assert await call.read() == [b"a"]
    assert await call.read() == []
    assert carried.left == 0


async def test_remaining_time_shrinks_until_the_call_begins() -> None:
    """What the server is told is what the caller has left."""
    context = CallContext("request-7", begin_trace(None))
    call = ClientCall("Parts", b"", size=0, window=10, deadline_s=30.0, context=context, lag=KEEPS_UP)
    await asyncio.sleep(0.01)

    frame = call.begin(Carried(), 1)

    assert 0 < frame.timeout_s <= 29.991
    call.leave()


async def test_in_a_process_that_is_behind_later_parts_wait_for_each_other_and_the_first_never() -> None:
    """A reader that is woken for each part alone writes each alone; after the wait it has all that came meanwhile."""
    call, _ = new_call(window=100, lag=LoopLag(behind_s=0.0, hold_s=0.02))
    reading = asyncio.ensure_future(call.read())
    await asyncio.sleep(0)
    call.receive(b"a", 1)
    first = await reading
    began = asyncio.get_running_loop().time()
    reading = asyncio.ensure_future(call.read())
    await asyncio.sleep(0)
    call.receive(b"b", 1)
    await asyncio.sleep(0)
    call.receive(b"c", 1)

    assert (first, await reading) == ([b"a"], [b"b", b"c"])
    # uvloop's and asyncio's timers are a millisecond fine.
    assert asyncio.get_running_loop().time() - began >= 0.018
    call.leave()


@pytest.mark.parametrize("ending", ["well", "badly", "at its deadline"])
async def test_the_end_of_a_call_waits_for_nobody(ending: str) -> None:
    """What has arrived is given out with it."""
    call, _ = new_call(window=100, lag=IS_BEHIND, deadline_s=0.05 if ending == "at its deadline" else 60.0)
    call.receive(b"a", 1)
    await call.read()
    reading = asyncio.ensure_future(call.read())
    await asyncio.sleep(0)
    call.receive(b"b", 1)
    if ending != "at its deadline":
        call.end(None if ending == "well" else Unavailable.__new__(Unavailable))

    async with asyncio.timeout(30):
        assert await reading == [b"b"]


async def test_half_a_window_waits_for_nobody() -> None:
    """The server would stand still while the reader waits for more."""
    call, carried = new_call(window=10, lag=IS_BEHIND)
    call.receive(b"a", 1)
    await call.read()
    reading = asyncio.ensure_future(call.read())
    await asyncio.sleep(0)
    call.receive(b"bb", 2)
    call.receive(b"ccc", 3)

    async with asyncio.timeout(30):
        assert await reading == [b"bb", b"ccc"]
    assert carried.granted == [6]
    call.leave()


async def test_parts_that_waited_when_their_reader_left_can_still_be_taken() -> None:
    """Leaving ends the wait, and nothing else."""
    call, carried = new_call(window=100, lag=IS_BEHIND)
    call.receive(b"a", 1)
    await call.read()
    reading = asyncio.ensure_future(call.read())
    await asyncio.sleep(0)
    call.receive(b"b", 1)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    call.leave()

    assert carried.left == 1
    assert await call.read() == [b"b"]
    assert await call.read() == []
