"""Sending a reply the wrong way: cut, stalled, split, mislabelled."""

import asyncio
import struct
import zlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from emulator.ground_truth import Entry
from emulator.wire.faults import Fault
from emulator.wire.replies import CHUNKED, LAST_CHUNK, Exchange, Reply, chunk, content_length, head

_MEGABYTE: Final = 1024 * 1024
# No name, no time, made by nobody in particular.
_GZIP_HEAD: Final = b"\x1f\x8b\x08" + bytes(5) + b"\x02\xff"

Misdelivery = Callable[[Exchange, Reply, Entry, Fault], Awaitable[None]]


def _whole(reply: Reply) -> bytes:
    """Return the exact bytes of a right answer."""
    if reply.streamed:
        return b"".join([head(reply, CHUNKED), *map(chunk, reply.frames), LAST_CHUNK])
    return head(reply, content_length(len(reply.frames[0]))) + reply.frames[0]


def _all_delivered(reply: Reply, entry: Entry) -> None:
    if reply.marks:
        entry.delivered_tokens = reply.marks[-1]


async def _begin(exchange: Exchange, reply: Reply, entry: Entry, frames: int) -> None:
    """Send the head and the first frames; of a plain answer, the head and half of the body."""
    if not reply.streamed:
        body = reply.frames[0]
        exchange.write(head(reply, content_length(len(body))) + body[: len(body) // 2])
        return
    exchange.write(head(reply, CHUNKED))
    for number, frame in enumerate(reply.frames[:frames]):
        if number and reply.gap_s > 0:
            await asyncio.sleep(reply.gap_s)
        exchange.write(chunk(frame))
        if number < len(reply.marks):
            entry.delivered_tokens = reply.marks[number]
    await exchange.drain()


async def _stall_before_headers(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    await exchange.until_gone()


async def _stall(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    await _begin(exchange, reply, entry, fault.after())
    await exchange.until_gone()


async def _slow(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    size, gap_s = int(fault.number("size", 1)), fault.number("gap_ms", 1000) / 1000
    data = _whole(reply)
    for start in range(0, len(data), size):
        exchange.write(data[start : start + size])
        await asyncio.sleep(gap_s)
    _all_delivered(reply, entry)


async def _rst_before_headers(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    exchange.reset()


async def _rst_mid_body(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    await _begin(exchange, reply, entry, fault.after())
    # A reset may overtake bytes the client has not read: give it a moment to read them.
    await asyncio.sleep(fault.number("settle_ms", 20) / 1000)
    exchange.reset()


async def _close_before_headers(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    exchange.close()


async def _cut_mid_stream(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    await _begin(exchange, reply, entry, fault.after())
    exchange.close()


async def _cut_mid_json(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    await _begin(exchange, reply, entry, fault.after())
    if reply.streamed and fault.after() < len(reply.frames):
        torn = reply.frames[fault.after()]
        exchange.write(chunk(torn[: len(torn) // 2]))
    exchange.close()


async def _end_early(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    if not reply.streamed:
        half = reply.frames[0][: len(reply.frames[0]) // 2]
        exchange.write(head(reply, content_length(len(half))) + half)
        return
    await _begin(exchange, reply, entry, fault.after())
    exchange.write(LAST_CHUNK)


async def _malformed_json(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    frames = list(reply.frames)
    place = min(fault.after(), len(frames) - 1) if reply.streamed else 0
    frames[place] = frames[place].replace(b":", b"=", 3).replace(b"data=", b"data:", 1).replace(b"event=", b"event:", 1)
    exchange.write(_whole(Reply(frames, reply.status, reply.content_type, reply.headers, reply.streamed)))
    _all_delivered(reply, entry)


async def _content_length_short(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    body = b"".join(reply.frames)
    exchange.write(head(reply, content_length(max(0, len(body) - int(fault.number("by", 10))))) + body)
    _all_delivered(reply, entry)
    exchange.close()


async def _content_length_long(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    body = b"".join(reply.frames)
    exchange.write(head(reply, content_length(len(body) + int(fault.number("by", 10)))) + body)
    _all_delivered(reply, entry)
    exchange.close()


async def _chunked_garbage(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    exchange.write(head(reply, CHUNKED))
    for number, frame in enumerate(reply.frames[: fault.after()]):
        exchange.write(chunk(frame))
        if number < len(reply.marks):
            entry.delivered_tokens = reply.marks[number]
    exchange.write(b"zz not a size\r\n" + bytes(range(128, 160)) + b"\r\n")
    exchange.close()


def _bomb(megabytes: int) -> Iterator[bytes]:
    """Yield a gzip body that unpacks to so many megabytes of zeros; each piece is made when it is asked for."""
    zeros, checksum = bytes(_MEGABYTE), 0
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    # After a full flush nothing refers back, so one megabyte's bytes serve for all.
    block = deflate.compress(zeros) + deflate.flush(zlib.Z_FULL_FLUSH)
    yield _GZIP_HEAD
    for _ in range(megabytes):
        checksum = zlib.crc32(zeros, checksum)
        yield block
    yield deflate.flush() + struct.pack("<II", checksum, megabytes * _MEGABYTE % 2**32)


async def _gzip_bomb(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    # The head goes out before the body is made: what a client does about it must not hang on how fast we compress.
    exchange.write(head(reply, b"content-encoding: gzip\r\n" + CHUNKED))
    for piece in _bomb(int(fault.number("mb", 100))):
        exchange.write(chunk(piece))
        await exchange.drain()
        # A drain that need not wait gives nobody else a turn, not even the end of the connection.
        await asyncio.sleep(0)
    exchange.write(LAST_CHUNK)


async def _long_line(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    exchange.write(head(reply, CHUNKED))
    if reply.content_type.startswith(b"text/event-stream"):
        exchange.write(chunk(b"data: "))
    block = chunk(b"x" * 65_536)
    for _ in range(int(fault.number("mb", 10)) * 16):
        exchange.write(block)
        await exchange.drain()
    exchange.write(chunk(b"\n") + LAST_CHUNK)


async def _invalid_utf8(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    place = min(fault.after(), len(reply.frames) - 1) if reply.streamed else 0
    broken = reply.frames[place]
    # 0xD0 opens a Cyrillic letter, so this is inside the text; what follows in the next write is no continuation byte.
    letter = broken.find(b"\xd0")
    middle = letter if letter >= 0 else len(broken) // 2
    exchange.write(head(reply, CHUNKED))
    for frame in reply.frames[:place]:
        exchange.write(chunk(frame))
    exchange.write(chunk(broken[:middle] + b"\xd0"))
    await asyncio.sleep(0.005)
    exchange.write(chunk(b"\xff\xfe" + broken[middle:]))
    exchange.write(b"".join(map(chunk, reply.frames[place + 1 :])) + LAST_CHUNK)
    _all_delivered(reply, entry)


async def _extra_response(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    extra = b'{"emulator":"nobody asked for this response"}'
    exchange.write(_whole(reply) + head(Reply([extra]), content_length(len(extra))) + extra)
    _all_delivered(reply, entry)


async def _empty_body(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    exchange.write(head(reply, content_length(0)))


async def _wrong_content_type(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    reply.content_type = fault.text("type", "text/html").encode()
    exchange.write(_whole(reply))
    _all_delivered(reply, entry)


async def _byte_splits(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    size = int(fault.number("size", 1))
    data = _whole(reply)
    for start in range(0, len(data), size):
        exchange.write(data[start : start + size])
        await asyncio.sleep(0)
    _all_delivered(reply, entry)


async def _utf8_splits(exchange: Exchange, reply: Reply, entry: Entry, fault: Fault) -> None:
    """Chunk borders fall right behind the first byte of a letter and in the middle of every line."""
    exchange.write(head(reply, CHUNKED))
    for frame in reply.frames:
        letter = frame.find(b"\xd0") + 1 or 1
        for part in (frame[:letter], frame[letter : letter + 7], frame[letter + 7 :]):
            if part:
                exchange.write(chunk(part))
                await asyncio.sleep(0.001)
    exchange.write(LAST_CHUNK)
    _all_delivered(reply, entry)


MISDELIVERIES: Final[dict[str, Misdelivery]] = {
    "stall_before_headers": _stall_before_headers,
    "stall": _stall,
    "slow": _slow,
    "rst_before_headers": _rst_before_headers,
    "rst_mid_body": _rst_mid_body,
    "close_before_headers": _close_before_headers,
    "cut_mid_stream": _cut_mid_stream,
    "cut_mid_json": _cut_mid_json,
    "end_early": _end_early,
    "malformed_json": _malformed_json,
    "content_length_short": _content_length_short,
    "content_length_long": _content_length_long,
    "chunked_garbage": _chunked_garbage,
    "gzip_bomb": _gzip_bomb,
    "long_line": _long_line,
    "invalid_utf8": _invalid_utf8,
    "extra_response": _extra_response,
    "empty_body": _empty_body,
    "wrong_content_type": _wrong_content_type,
    "byte_splits": _byte_splits,
    "utf8_splits": _utf8_splits,
}
