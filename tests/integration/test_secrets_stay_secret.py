"""Prompts, completions, keys and tokens are nowhere but where they belong, whatever goes wrong.

Canaries are planted in everything a caller or a provider says, every way through the suite is taken at log level debug
with traces on, and then all that the suite has written is searched: logs, spans, metrics, journals, PostgreSQL, Redis.
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import redis

from emulator.testing import GIGACHAT_CREDENTIALS, YANDEX_API_KEY
from tests.integration.caller import CHAT, ask, call
from tests.integration.processes import Processes
from tests.integration.waiting import wait_until
from tests.span_receiver import SpanReceiver
from tools.servers import binaries
from tools.stack.running_stack import RunningStack

PROGRAMS: Final = ("gateway", "router", "auth", "usage")
MODELS: Final = ("yandexgpt:latest", "gigachat-pro", "toy-large")
EMBEDDERS: Final = ("text-search-doc", "gigachat-embeddings")
TOOL: Final = {"type": "function", "function": {"name": "canary_tool", "parameters": {"type": "object"}}}
FAULTS: Final = (
    "status code=500 message={canary}",
    "status code=400 message={canary}",
    "status code=403 message={canary}",
    "rate_limit",
    "redirect",
    "malformed_json after=1",
    "cut_mid_stream after=1",
    "invalid_utf8 after=1",
    "mid_stream_error after=1 message={canary}",
    "rst_mid_body after=1",
    "end_early after=1",
    "long_line mb=3",
    "usage_missing",
    "token_expired times=1",
)


@dataclass(frozen=True, slots=True)
class Canaries:
    """Strings that are nowhere else in the world, by what they stand for."""

    prompt: str
    completion: str
    system: str
    tool: str
    user: str
    wrong_key: str
    key: str

    def all(self) -> dict[str, str]:
        """Return what must not be found, by name; the upstreams' own keys too."""
        planted = {name: getattr(self, name) for name in self.__slots__}
        upstream = {"yandex key": YANDEX_API_KEY, "gigachat key": GIGACHAT_CREDENTIALS}
        return {**planted, **upstream, "toy key": "sk-emulator"}


def canary(name: str) -> str:
    """Return a new one, of letters only: no encoding of JSON, of a URL or of a protobuf text changes it."""
    return f"canary{name}" + "".join(secrets.choice("abcdefghijklmnop") for _ in range(16))


@pytest.fixture(scope="module")
def planted(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Canaries:
    """Take every way through the suite with canaries in hand."""
    names = ("prompt", "completion", "system", "tool", "user")
    canaries = Canaries(
        **{name: canary(name) for name in names}, wrong_key=f"rz_live_{canary('wrong')}", key=stack.issue_key()
    )
    ways = list(itertools.product(MODELS, (False, True)))
    with ThreadPoolExecutor(8) as pool:
        for model, stream in ways:
            _ask_well(stack, canaries, model, stream=stream)
        asked = [
            pool.submit(_say, stack.url, canaries, model, f"[[chunks:3]] [[fault:{fault}]]", stream=stream)
            for model, stream in ways
            for fault in (fault.format(canary=canaries.completion) for fault in FAULTS)
        ]
        for each in asked:
            each.result()
    _go_wrong(stack, canaries)
    _die_with_a_journal(stack, canaries, tmp_path_factory.mktemp("journal"))
    return canaries


def _say(url: str, canaries: Canaries, model: str, markers: str, **fields: Any) -> None:
    ask(url, canaries.key, f"{canaries.prompt} {markers} [[text:{canaries.completion}]]", model=model, **fields)


def _ask_well(stack: RunningStack, canaries: Canaries, model: str, *, stream: bool) -> None:
    heard = ask(
        stack.url,
        canaries.key,
        f"{canaries.prompt} [[text:{canaries.completion} и ещё]] [[chunks:3]]",
        model=model,
        stream=stream,
        user=canaries.user,
        headers={"x-canary": canaries.user},
        timeout_s=30,
    )
    assert canaries.completion in heard.text
    call_tool = f'{canaries.prompt} [[call:canary_tool {{"a": "{canaries.tool}"}}]]'
    heard = ask(stack.url, canaries.key, call_tool, model=model, stream=stream, tools=[TOOL])
    # A stream brings the arguments in pieces.
    assert heard.is_whole
    assert stream or canaries.tool.encode() in heard.body
    messages = [
        {"role": "system", "content": canaries.system},
        {"role": "user", "content": canaries.prompt},
        {"role": "assistant", "content": canaries.completion},
        {"role": "user", "content": canaries.prompt},
    ]
    authorization = {"authorization": f"Bearer {canaries.key}"}
    call(stack.url, "POST", CHAT, json={"model": model, "messages": messages, "stream": stream}, headers=authorization)


def _go_wrong(stack: RunningStack, canaries: Canaries) -> None:
    """Be refused in every way: by key, limit, model, body, path, tool."""
    authorization = {"authorization": f"Bearer {canaries.key}"}
    ask(stack.url, canaries.wrong_key, canaries.prompt)
    for path in (f"/v1/models/{canaries.prompt}", f"/v1/requests/{canaries.prompt}", f"/{canaries.prompt}"):
        call(stack.url, "GET", path, headers=authorization)
    call(stack.url, "GET", f"/v1/models?api_key={canaries.key}&access_token={canaries.key}", headers={})
    for model in EMBEDDERS:
        body: dict[str, Any] = {"model": model, "input": [canaries.prompt, canaries.completion]}
        call(stack.url, "POST", "/v1/embeddings", json=body, headers=authorization)
        call(stack.url, "POST", "/v1/embeddings", json={**body, "input": [canaries.prompt, 5]}, headers=authorization)
    call(
        stack.url,
        "POST",
        "/v1/completions",
        json={"model": MODELS[0], "prompt": canaries.prompt},
        headers=authorization,
    )
    for content in (
        b'{"model": "m", "messages": "' + canaries.prompt.encode() + b'"}',
        canaries.prompt.encode(),
        b'{"' + canaries.prompt.encode() + b'": NaN}',
    ):
        call(stack.url, "POST", CHAT, content=content, headers=authorization)
    ask(stack.url, canaries.key, canaries.prompt, model=canaries.prompt)
    ask(
        stack.url,
        canaries.key,
        canaries.prompt,
        tools=[{"type": "function", "function": {"name": canaries.tool + " "}}],
    )
    ask(stack.url, canaries.key, canaries.prompt, response_format={"type": canaries.tool})
    ask(stack.url, canaries.key, canaries.prompt * 20_000)
    free = stack.issue_key(tier="free")
    for _ in range(22):
        ask(stack.url, free, canaries.prompt, max_tokens=1)


def _die_with_a_journal(stack: RunningStack, canaries: Canaries, folder: Path) -> None:
    """Leave a journal with open requests, and search it while it is there."""
    processes = Processes(stack, folder)
    try:
        gateway = processes.gateway(failpoint="gateway.before_settled:3", GATEWAY_TELEMETRY_LOG_LEVEL="debug")
        for stream in (False, True, True):
            _say(gateway.url, canaries, MODELS[0], "[[chunks:3]]", stream=stream)
        gateway.wait_until_killed()
        for found in (gateway.log, *processes.journal("journal").rglob("*")):
            if found.is_file():
                assert _hits(found.read_bytes().decode("utf-8", "replace"), canaries.all()) == {}, found
    finally:
        processes.stop_all()


def _hits(text: str, planted: dict[str, str]) -> dict[str, str]:
    """Return the canaries in the text with what stands around them."""
    return {
        name: text[max(0, text.index(secret) - 120) : text.index(secret) + 60]
        for name, secret in planted.items()
        if secret in text
    }


def logs(stack: RunningStack, spans: SpanReceiver) -> str:
    """All logs, PostgreSQL's and Redis's too."""
    del spans
    return "\n".join(file.read_text(errors="replace") for file in sorted(stack.parts.home.logs.glob("*.log*")))


def traces(stack: RunningStack, spans: SpanReceiver) -> str:
    """All that was exported."""
    del stack
    return wait_until(spans.text)


def metrics(stack: RunningStack, spans: SpanReceiver) -> str:
    """The metrics of all services."""
    del spans
    return "\n".join(httpx.get(stack.metrics_url(program), trust_env=False, timeout=60).text for program in PROGRAMS)


def journal(stack: RunningStack, spans: SpanReceiver) -> str:
    """The journal of the gateway, as bytes on disk."""
    del spans
    files = [file for file in (stack.parts.home.root / "journal").rglob("*") if file.is_file()]
    return "\n".join(file.read_bytes().decode("utf-8", "replace") for file in files)


def postgres(stack: RunningStack, spans: SpanReceiver) -> str:
    """Every table of every schema."""
    del spans
    program = binaries.postgres_bin_dir() / "pg_dump"
    if program.exists():
        dsn = stack.parts.admin_dsn("razvilka")
        return subprocess.run([program, "--data-only", dsn], capture_output=True, text=True, check=True).stdout
    tables = stack.query(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname IN ('auth', 'router', 'usage')"
    )
    return "\n".join(str(stack.query(f"SELECT * FROM {table['name']}")) for table in tables)


def redis_dump(stack: RunningStack, spans: SpanReceiver) -> str:
    """Every key and value, as Redis serialises them, and its append-only file."""
    del spans
    texts = []
    with stack.redis() as client:
        for key in client.scan_iter(count=1000):
            texts.append(repr(key) + repr(_value(client, key)))
    files = [file.read_bytes().decode("utf-8", "replace") for file in stack.parts.home.root.rglob("*.aof")]
    return "\n".join([*texts, *files])


def _value(client: redis.Redis, key: bytes) -> Any:
    read: dict[bytes, Callable[[], Any]] = {
        b"string": lambda: client.get(key),
        b"hash": lambda: client.hgetall(key),
        b"zset": lambda: client.zrange(key, 0, -1),
        b"set": lambda: client.smembers(key),
        b"list": lambda: client.lrange(key, 0, -1),
        b"stream": lambda: client.xrange(key),
    }
    kind: Any = client.type(key)
    return read[kind]() if kind in read else client.dump(key)


PLACES: Final = (logs, traces, metrics, journal, postgres, redis_dump)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_no_canary_is_found(
    stack: RunningStack, spans: SpanReceiver, planted: Canaries, place: Callable[[RunningStack, SpanReceiver], str]
) -> None:
    """Zero hits; and the place was not empty, so there was something to search."""
    text = place(stack, spans)

    assert len(text) > 100 or place is journal
    assert _hits(text, planted.all()) == {}


def test_the_search_would_find_one(stack: RunningStack, spans: SpanReceiver, planted: Canaries) -> None:
    """What is meant to be there is found by the same search: ids in logs, rows, Redis and traces."""
    [row] = stack.query("SELECT user_id, id::text AS id, trace_id FROM usage.usage ORDER BY id DESC LIMIT 1")

    assert _hits(logs(stack, spans), {"user": row["user_id"]})
    assert _hits(postgres(stack, spans), {"request": row["id"]})
    assert _hits(redis_dump(stack, spans), {"user": row["user_id"]})
    assert "razvilka-gateway" in traces(stack, spans)


def test_keys_are_stored_only_as_keyed_hashes(stack: RunningStack, planted: Canaries) -> None:
    """Neither the key nor its plain SHA-256 is in the table; the prefix and the last four are."""
    [row] = stack.query("SELECT * FROM auth.api_keys WHERE last_four = $1 AND prefix <> ''", planted.key[-4:])

    assert row["hash_kind"] == "hmac-sha256"
    assert row["key_hash"] != hashlib.sha256(planted.key.encode()).hexdigest()
    assert planted.key.startswith(row["prefix"])
    assert len(row["prefix"]) < 20


def test_secrets_are_not_in_command_lines(stack: RunningStack, planted: Canaries) -> None:
    """Anybody on the machine may list processes."""
    passwords = [value for value in stack.parts.secrets.values() if len(value) > 8]
    for program in (*PROGRAMS, "emulator", "postgres", "redis"):
        command = Path(f"/proc/{stack.pid(program)}/cmdline")
        if command.exists():
            text = command.read_text()
            assert not [secret for secret in (*passwords, *planted.all().values()) if secret in text]
