"""Sending a reply as it should be sent; the faulty ways are in `misdelivery`."""

import asyncio

from emulator.ground_truth import Entry
from emulator.wire.misdelivery import MISDELIVERIES
from emulator.wire.replies import CHUNKED, LAST_CHUNK, Exchange, Reply, chunk, content_length, head


async def deliver(exchange: Exchange, reply: Reply, entry: Entry) -> None:
    """Send the reply, note in the entry what the client was given."""
    entry.status = reply.status
    if reply.latency_s > 0:
        await asyncio.sleep(reply.latency_s)
    fault = reply.fault
    if fault is not None and fault.name in MISDELIVERIES:
        await MISDELIVERIES[fault.name](exchange, reply, entry, fault)
    elif reply.streamed:
        await _stream(exchange, reply, entry)
    else:
        _send_plain(exchange, reply, entry)
    if exchange.transport.get_write_buffer_size() > 65_536:
        await exchange.drain()


def _send_plain(exchange: Exchange, reply: Reply, entry: Entry) -> None:
    body = reply.frames[0]
    exchange.write(head(reply, content_length(len(body))) + body)
    if reply.marks:
        entry.delivered_tokens = reply.marks[-1]


async def _stream(exchange: Exchange, reply: Reply, entry: Entry) -> None:
    if reply.gap_s <= 0 and not reply.abrupt_end:
        # One system call for the whole stream: the emulator must stay the cheapest part of a benchmark.
        exchange.write(b"".join([head(reply, CHUNKED), *map(chunk, reply.frames), LAST_CHUNK]))
        if reply.marks:
            entry.delivered_tokens = reply.marks[-1]
        return
    exchange.write(head(reply, CHUNKED))
    for number, frame in enumerate(reply.frames):
        if number and reply.gap_s > 0:
            await asyncio.sleep(reply.gap_s)
        exchange.write(chunk(frame))
        if number < len(reply.marks):
            entry.delivered_tokens = reply.marks[number]
        if exchange.transport.get_write_buffer_size() > 65_536:
            await exchange.drain()
    if reply.abrupt_end:
        exchange.close()
    else:
        exchange.write(LAST_CHUNK)
