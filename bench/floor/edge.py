"""The first process: `python -m bench.floor.edge` answers HTTP by a relay, by the upstream, or by what it makes up."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import uvicorn
import uvloop
from msgspec import Struct
from msgspec.json import Decoder
from pydantic import SecretStr
from redis.asyncio import Redis
from starlette.types import Message, Receive, Scope, Send

from bench.floor.answers import Answers, MadeUpAnswers, open_relay
from bench.floor.upstream_calls import open_calls
from servicekit.entry import collect_garbage_seldom
from servicekit.redis import open_redis
from servicekit.settings import PatientRedisSettings
from tools.servers.ports import LOOPBACK

SCRIPT: Final = "return 1"
STREAM_HEAD: Final[Message] = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream")],
}
END: Final[Message] = {"type": "http.response.body", "body": b""}


class ChatMessage(Struct):
    """One message of a request."""

    role: str
    content: str


class Chat(Struct):
    """What is read of a request."""

    model: str
    messages: list[ChatMessage]
    stream: bool = False


class Script:
    """A script in Redis that does nothing."""

    def __init__(self, client: Redis, sha: str) -> None:
        self._client = client
        self._sha = sha

    async def run(self) -> None:
        """Run it."""
        await self._client.evalsha(self._sha, 1, "floor")


class Edge:
    """An ASGI application that answers any request as a chat."""

    def __init__(self, answers: Answers, script: Script | None) -> None:
        self._answers = answers
        self._script = script
        self._decoder = Decoder(Chat)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request: a script before, a script after."""
        body = await _body(receive)
        chat = self._decoder.decode(body)
        if self._script is not None:
            await self._script.run()
        if chat.stream:
            await self._stream(body, send)
        else:
            await self._whole(body, send)

    async def _whole(self, body: bytes, send: Send) -> None:
        answer = await self._answers.whole(body)
        if self._script is not None:
            await self._script.run()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _stream(self, body: bytes, send: Send) -> None:
        await send(STREAM_HEAD)
        async for part in self._answers.parts(body):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        if self._script is not None:
            await self._script.run()
        await send(END)


async def _body(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


@asynccontextmanager
async def _open_script(url: str) -> AsyncIterator[Script]:
    async with open_redis(PatientRedisSettings(url=SecretStr(url))) as client:
        yield Script(client, await client.script_load(SCRIPT))


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until a signal."""
    async with AsyncExitStack() as stack:
        answers: Answers = MadeUpAnswers()
        if arguments.relay:
            answers = await stack.enter_async_context(open_relay(arguments.relay))
        elif arguments.upstream:
            answers = await stack.enter_async_context(open_calls(arguments.upstream, arguments.key))
        script = await stack.enter_async_context(_open_script(arguments.redis)) if arguments.redis else None
        await uvicorn.Server(_config(Edge(answers, script), arguments.port)).serve()


def _config(app: Any, port: int) -> uvicorn.Config:
    # As the gateway sets it; the loop is there already.
    return uvicorn.Config(
        app,
        host=LOOPBACK,
        port=port,
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.floor.edge", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="where to listen")
    parser.add_argument("--relay", default="", help="host:port of the relay that has the answers")
    parser.add_argument("--upstream", default="", help="base address of the upstream that has them, without a relay")
    parser.add_argument("--key", default="", help="what the upstream is shown")
    parser.add_argument("--redis", default="", help="address of a Redis that runs two scripts for each answer")
    arguments = parser.parse_args()
    collect_garbage_seldom()
    uvloop.run(serve(arguments))


if __name__ == "__main__":
    main()
