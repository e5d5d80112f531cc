"""Further gateways of the running suite, and a way to lose what Redis pushes to one."""

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tools.servers.ports import LOOPBACK, free_port
from tools.stack.home import REPOSITORY
from tools.stack.running_stack import RunningStack

START_S = 120.0
STOP_S = 40.0


@contextlib.contextmanager
def another_gateway(stack: RunningStack, folder: Path, **settings: str) -> Iterator[str]:
    """Start one more gateway with these settings (GATEWAY_...) and yield its address."""
    program = next(each for each in stack.parts.programs if each.name == "gateway")
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    environment = program.environment | {
        "GATEWAY_PORT": str(port),
        "GATEWAY_METRICS_PORT": str(free_port()),
        "GATEWAY_JOURNAL_DIR": str(folder / "journal"),
        **settings,
    }
    url = f"http://{LOOPBACK}:{port}"
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(program.command, env=environment, cwd=REPOSITORY, stdout=log, stderr=log)
        try:
            _wait_until_ready(url, process, folder / "gateway.log")
            yield url
        finally:
            process.terminate()
            process.wait(STOP_S)


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    give_up_at = time.monotonic() + START_S
    with httpx.Client(trust_env=False, timeout=10) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if client.get(f"{url}/ready").status_code == 200:
                    return
            if process.poll() is not None or time.monotonic() > give_up_at:
                raise TimeoutError(f"the gateway does not start: {log.read_text()[-2000:]}")
            time.sleep(0.1)


class LossyRedis:
    """A wire to Redis that can lose what is pushed to subscribers, and nothing else: as a stalled connection would."""

    def __init__(self, port: int) -> None:
        self._target = (LOOPBACK, port)
        self._listener = socket.create_server((LOOPBACK, 0))
        self.loses = False
        self.lost = 0
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> "LossyRedis":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, from_redis: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if from_redis and self.loses and b"\r\nmessage\r\n" in data:
                    self.lost += 1
                    continue
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def redis_port(stack: RunningStack) -> int:
    """Return the port of the suite's Redis."""
    return int(stack.parts.ports["REDIS_PORT"])
