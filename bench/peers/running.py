"""Gateways started for the run, each asked once whether its answers are whole, and stopped after it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from pathlib import Path
from typing import Final

from bench.cases import PLAIN, STREAM
from bench.load import Target
from bench.peers.peer import Peer, Place, Program
from bench.upstream import CHUNKS
from tools.servers.installed_environments import NotInstalledError
from tools.servers.ports import free_port
from tools.stack.throwaway import UPSTREAM_KEY

START_S: Final = 90
STOP_S: Final = 5.0
WORD: Final = "слово "


@dataclass(frozen=True, slots=True)
class Gateway:
    """One that answers: its processes, and where each kind of request goes."""

    name: str
    does: str
    pids: dict[str, int]
    plain: Target
    stream: Target
    stores: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Absent:
    """One that cannot be measured here, and why."""

    name: str
    reason: str


def targets(url: str, key: str, headers: tuple[tuple[str, str], ...] = ()) -> tuple[Target, Target]:
    """Return the plain and the streamed request to a base address."""
    plain = Target(f"{url}/chat/completions", key, PLAIN.body(), headers)
    return plain, replace(plain, body=STREAM.body())


@contextmanager
def running_peer(peer: Peer, upstream_url: str, folder: Path) -> Iterator[Gateway | Absent]:
    """Install and start a gateway for the block; what it cannot do here is returned, not raised."""
    folder.mkdir(parents=True, exist_ok=True)
    place = Place(free_port(), upstream_url, UPSTREAM_KEY, folder)
    try:
        program = peer.prepare(place)
    except NotInstalledError as missing:
        yield Absent(peer.name, str(missing))
        return
    with started(program, folder) as process:
        yield _ready(peer, program, place, process)


@contextmanager
def started(program: Program, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in a folder for the block; what it says is in `output.log` there."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "output.log").open("wb") as log:
        process = _start(program, folder, log.fileno())
    try:
        yield process
    finally:
        _stop(process)


def _start(program: Program, folder: Path, log: int) -> subprocess.Popen[bytes]:
    # A session of its own: some are a family of processes, and all of it is to end.
    return subprocess.Popen(  # noqa: S603
        program.command, cwd=folder, env=program.environment, stdout=log, stderr=log, start_new_session=True
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _ready(peer: Peer, program: Program, place: Place, process: subprocess.Popen[bytes]) -> Gateway | Absent:
    plain, stream = targets(f"http://127.0.0.1:{place.port}/v1", program.key, program.headers)
    gateway = Gateway(f"{peer.name} {program.version}", peer.does, {peer.name: process.pid}, plain, stream)
    wrong = "no answer"
    end = time.monotonic() + START_S
    while wrong and time.monotonic() < end:
        if process.poll() is not None:
            return Absent(gateway.name, f"ended by itself, see {place.folder}/output.log")
        wrong = what_is_wrong(gateway)
        time.sleep(0.2 if wrong else 0)
    return Absent(gateway.name, wrong) if wrong else gateway


def what_is_wrong(gateway: Gateway) -> str:
    """Ask once for either kind; return an empty text when all of the answer came, else what did not."""
    try:
        message = json.loads(_ask(gateway.plain))["choices"][0]["message"]["content"]
        streamed = "".join(_deltas(_ask(gateway.stream)))
    except (OSError, HTTPException, ValueError, KeyError, IndexError) as problem:
        return f"{type(problem).__name__}: {problem}"
    if not message or streamed != WORD * CHUNKS:
        return f"an answer is not whole: {message!r}, {streamed!r}"
    return ""


def _ask(target: Target) -> bytes:
    fields = {"authorization": f"Bearer {target.key}", "content-type": "application/json"} | dict(target.headers)
    request = urllib.request.Request(target.url, target.body, fields)  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return bytes(answer.read())


def _deltas(body: bytes) -> Iterator[str]:
    for line in body.decode().splitlines():
        data = line.removeprefix("data: ")
        if data != line and data != "[DONE]":
            for choice in json.loads(data).get("choices", []):
                yield choice["delta"].get("content") or ""
