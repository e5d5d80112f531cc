"""Faults of connection, HTTP and bytes, seen from a raw socket."""

import asyncio
import gzip
import json
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import pytest

from emulator.testing import OPENAI_API_KEY, RunningEmulator
from emulator.tests.conftest import Ask


@dataclass
class Heard:
    """What came over the wire."""

    data: bytes
    reset: bool

    @property
    def head(self) -> str:
        """The first response's head, lower case."""
        return self.data.partition(b"\r\n\r\n")[0].decode().lower()

    @property
    def body(self) -> bytes:
        """Everything behind the first head."""
        return self.data.partition(b"\r\n\r\n")[2]

    @property
    def chunks(self) -> list[bytes]:
        """The chunks of a chunked body; None stands for nothing after a torn one."""
        rest, found = self.body, list[bytes]()
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            found.append(rest[: int(size, 16)])
            rest = rest[int(size, 16) + 2 :]
        return found


async def listen(
    emulator: RunningEmulator, fault: str, *, stream: bool = True, until: bytes | None = None, close: bool = True
) -> Heard:
    """Ask the plain upstream with this fault and read to the end, or until some bytes are there."""
    host, port = emulator.openai_url.removeprefix("http://").split("/")[0].split(":")
    message = {"role": "user", "content": "привет [[chunks:5]]"}
    body = json.dumps({"model": "toy-large", "stream": stream, "messages": [message]}).encode()
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /openai/v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {OPENAI_API_KEY}\r\n"
        f"Connection: {'close' if close else 'keep-alive'}\r\nx-emulator-fault: {fault}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    data, reset = b"", False
    try:
        async with asyncio.timeout(60):
            while until is None or until not in data:
                part = await reader.read(65_536)
                if not part:
                    break
                data += part
    except ConnectionResetError:
        reset = True
    finally:
        writer.close()
    return Heard(data, reset)


async def ended(emulator: RunningEmulator) -> dict[str, object]:
    """Return the last entry of the log."""
    return (await emulator.control.ground_truth())[-1]


async def test_a_right_stream_for_comparison(emulator: RunningEmulator) -> None:
    """Without a fault the stream has its last chunk and everything is delivered."""
    heard = await listen(emulator, "latency;ms=1")

    entry = await ended(emulator)
    assert heard.data.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert (entry["ended"], entry["delivered_tokens"]) == ("complete", entry["completion_tokens"])


@pytest.mark.parametrize("fault", ["rst_before_headers", "close_before_headers"])
async def test_no_byte_at_all(emulator: RunningEmulator, fault: str) -> None:
    """A reset is a reset, a close is a clean end of nothing."""
    heard = await listen(emulator, fault)

    assert heard.data == b""
    assert heard.reset == (fault == "rst_before_headers")
    assert (await ended(emulator))["delivered_tokens"] == 0


@pytest.mark.parametrize("fault", ["rst_mid_body", "cut_mid_stream", "cut_mid_json"])
async def test_a_stream_breaks_behind_the_chunks_it_says(emulator: RunningEmulator, fault: str) -> None:
    """Three whole chunks, no end; the log knows what was delivered."""
    heard = await listen(emulator, f"{fault};after=3")

    entry = await ended(emulator)
    assert heard.data.count(b"data: ") == (4 if fault == "cut_mid_json" else 3)
    assert b"[DONE]" not in heard.data
    assert not heard.data.endswith(b"0\r\n\r\n")
    assert heard.reset == (fault == "rst_mid_body")
    assert entry["ended"] == "fault"
    assert entry["delivered_tokens"] == 4


async def test_a_torn_chunk_is_no_json(emulator: RunningEmulator) -> None:
    """cut_mid_json ends inside the JSON of the next chunk."""
    heard = await listen(emulator, "cut_mid_json;after=2")

    with pytest.raises(json.JSONDecodeError):
        json.loads(heard.chunks[-1].removeprefix(b"data: "))


@pytest.mark.parametrize("fault", ["cut_mid_stream", "rst_mid_body", "content_length_long"])
async def test_a_plain_answer_is_shorter_than_it_says(emulator: RunningEmulator, fault: str) -> None:
    """Content-Length promises more than comes."""
    heard = await listen(emulator, fault, stream=False)

    promised = int(heard.head.split("content-length: ")[1].split("\r\n")[0])
    assert len(heard.body) < promised


async def test_content_length_may_be_too_short(emulator: RunningEmulator) -> None:
    """The body goes on behind its promised end."""
    heard = await listen(emulator, "content_length_short;by=7", stream=False)

    promised = int(heard.head.split("content-length: ")[1].split("\r\n")[0])
    assert len(heard.body) == promised + 7


async def test_a_stall_keeps_the_connection_and_ends_with_the_client(emulator: RunningEmulator) -> None:
    """Chunks come, then silence; the log says the client left."""
    heard = await listen(emulator, "stall;after=2", until=b"content")

    assert b"content" in heard.data
    while (await ended(emulator))["ended"] == "open":
        await asyncio.sleep(0)
    assert (await ended(emulator))["ended"] == "client_gone"


async def test_an_early_end_is_well_formed(emulator: RunningEmulator) -> None:
    """The body ends properly but has no final status."""
    heard = await listen(emulator, "end_early;after=2")

    assert heard.data.endswith(b"0\r\n\r\n")
    assert b"[DONE]" not in heard.data
    assert b"finish_reason" not in heard.data


@pytest.mark.parametrize("stream", [True, False])
async def test_malformed_json_is_framed_well(emulator: RunningEmulator, stream: bool) -> None:
    """Only the JSON is broken."""
    heard = await listen(emulator, "malformed_json;after=1", stream=stream)

    broken = heard.chunks[1].removeprefix(b"data: ") if stream else heard.body
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken)


async def test_a_chunk_size_may_be_no_number(emulator: RunningEmulator) -> None:
    """chunked_garbage breaks the framing itself."""
    assert b"zz not a size\r\n" in (await listen(emulator, "chunked_garbage")).data


async def test_a_gzip_bomb_is_small_on_the_wire(emulator: RunningEmulator) -> None:
    """Five megabytes unpack from a few kilobytes."""
    heard = await listen(emulator, "gzip_bomb;mb=5")

    assert "content-encoding: gzip" in heard.head
    assert len(heard.body) < 10_000
    assert gzip.decompress(b"".join(heard.chunks)) == bytes(5 * 1024 * 1024)


async def test_a_line_of_a_megabyte(emulator: RunningEmulator) -> None:
    """No newline until the very end."""
    heard = await listen(emulator, "long_line;mb=1")

    line = b"".join(heard.chunks)
    assert len(line) > 1024 * 1024
    assert line.count(b"\n") == 1


async def test_invalid_utf8_is_split_over_two_chunks(emulator: RunningEmulator) -> None:
    """Neither chunk decodes, and joined they do not either."""
    heard = await listen(emulator, "invalid_utf8;after=2")

    with pytest.raises(UnicodeDecodeError):
        b"".join(heard.chunks).decode()


async def test_a_second_response_nobody_asked_for(emulator: RunningEmulator) -> None:
    """Two status lines for one request."""
    assert (await listen(emulator, "extra_response")).data.count(b"HTTP/1.1 200") == 2


async def test_an_empty_body_and_a_wrong_type(emulator: RunningEmulator) -> None:
    """200 with nothing; the right bytes under text/html."""
    assert (await listen(emulator, "empty_body")).body == b""
    assert "content-type: text/html" in (await listen(emulator, "wrong_content_type")).head


@pytest.mark.parametrize("fault", ["byte_splits;size=1", "utf8_splits", "slow;gap_ms=0;size=16"])
async def test_hostile_splits_change_no_byte_of_the_body(emulator: RunningEmulator, fault: str) -> None:
    """Reassembled, the body is the right one."""
    heard = await listen(emulator, fault)
    right = await listen(emulator, "latency;ms=0")

    def contents(found: Heard) -> list[str]:
        text = b"".join(found.chunks).decode()
        data = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")]
        return [json.dumps(json.loads(item)["choices"]) for item in data]

    assert contents(heard) == contents(right)
    assert (await ended(emulator))["ended"] == "complete"


async def test_utf8_splits_fall_inside_letters(emulator: RunningEmulator) -> None:
    """At least one chunk can't be decoded alone."""
    heard = await listen(emulator, "utf8_splits")

    def is_whole(part: bytes) -> bool:
        try:
            part.decode()
        except UnicodeDecodeError:
            return False
        return True

    assert not all(map(is_whole, heard.chunks))


async def test_a_redirect_to_the_metadata_service(emulator: RunningEmulator) -> None:
    """The classic SSRF target."""
    heard = await listen(emulator, "redirect")

    assert heard.head.startswith("http/1.1 302")
    assert "location: http://169.254.169.254/" in heard.head


@pytest.mark.parametrize(
    ("form", "line"),
    [("2", "retry-after: 2"), ("negative", "retry-after: -5"), ("absent", None), ("date", "retry-after: ")],
)
async def test_retry_after_in_all_its_forms(emulator: RunningEmulator, form: str, line: str | None) -> None:
    """Seconds, a date, nothing, nonsense."""
    heard = await listen(emulator, f"rate_limit;retry_after={form};seconds=60")

    assert heard.head.startswith("http/1.1 429")
    assert ("retry-after" in heard.head) == (line is not None)
    if line is not None:
        assert line in heard.head
    if form == "date":
        stated = next(text for text in heard.head.split("\r\n") if text.startswith("retry-after"))
        assert parsedate_to_datetime(stated.removeprefix("retry-after: "))


@pytest.mark.parametrize("code", [400, 401, 403, 404, 408, 422, 429, 500, 502, 503, 504, 529])
async def test_any_status_in_each_providers_envelope(
    emulator: RunningEmulator, ask_yandex: Ask, ask_gigachat: Ask, ask_openai: Ask, code: int
) -> None:
    """529 has no name in the standard, and works all the same."""
    prompt = f"x [[fault:status code={code}]]"

    yandex, gigachat, plain = await ask_yandex(prompt), await ask_gigachat(prompt), await ask_openai(prompt)

    assert [yandex[0], gigachat[0], plain[0]] == [code] * 3
    assert yandex[1]["error"]["httpCode"] == gigachat[1]["status"] == code
    assert plain[1]["error"]["message"]


@pytest.mark.parametrize("stream", [True, False])
async def test_usage_faults(emulator: RunningEmulator, ask_yandex: Ask, ask_gigachat: Ask, stream: bool) -> None:
    """Missing, zero, twice: on both providers."""

    async def usages(ask: Ask, fault: str) -> int:
        _, found = await ask(f"x [[chunks:2]] [[fault:{fault}]]", stream=stream)
        return (found if stream else json.dumps(found)).count('"usage"')

    assert await usages(ask_yandex, "usage_missing") == await usages(ask_gigachat, "usage_missing") == 0
    if stream:
        assert await usages(ask_gigachat, "usage_duplicate") == 2
        assert await usages(ask_yandex, "usage_duplicate") == 4
    _, zero = await ask_gigachat("x [[fault:usage_zero]]")
    assert zero["usage"]["total_tokens"] == 0


async def test_an_unknown_fault_is_told_and_not_ignored(emulator: RunningEmulator) -> None:
    """A typing mistake in a test must not look like success."""
    heard = await listen(emulator, "no_such_fault")

    assert heard.head.startswith("http/1.1 400")
    assert b"no_such_fault" in heard.body
