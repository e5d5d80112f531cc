"""The health check of containers."""

import asyncio

import pytest

from servicekit import probe
from servicekit.rpc_server import running_server
from servicekit.settings import GrpcSettings
from servicekit.trust.callers import CallPolicy


@pytest.mark.parametrize("ready", [True, False])
async def test_a_grpc_service_is_as_ready_as_it_says(ready: bool):
    """The container's health is the service's own word."""

    async def is_ready() -> bool:
        return ready

    async with running_server(GrpcSettings(grace_s=0), lambda _server: None, is_ready, CallPolicy({})) as port:
        async with asyncio.timeout(60):
            while await probe.is_ready(f"127.0.0.1:{port}") is not ready:
                await asyncio.sleep(0.01)

        assert await probe.is_ready(f"127.0.0.1:{port}") is ready


@pytest.mark.parametrize(("status", "ready"), [("200 OK", True), ("503 Service Unavailable", False)])
async def test_an_http_service_is_ready_when_it_answers_200(status, ready):
    """The gateway says 503 while something behind it is missing."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]

        assert await probe.is_ready(f"http://127.0.0.1:{port}/ready") is ready


@pytest.mark.parametrize("address", ["127.0.0.1:{port}", "http://127.0.0.1:{port}/ready"], ids=["grpc", "http"])
async def test_nobody_there_is_not_ready(address, free_port):
    """A refused connection is an answer too."""
    assert await probe.is_ready(address.format(port=free_port)) is False
