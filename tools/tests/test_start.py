"""Starting a suite where somebody takes one of its ports in the last moment."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from tools.servers import ports
from tools.stack.down import bring_down
from tools.stack.home import Home
from tools.stack.up import start


@pytest.mark.timeout(300)
def test_a_port_that_is_taken_before_its_program_starts_is_chosen_anew(servers_folder: Path) -> None:
    """Others look for free ports in the same range: the suite comes up all the same, on another port."""
    home, taken = Home(servers_folder / "suite-whose-port-is-taken"), socket.socket()
    home.prepare()
    asked: list[int] = []

    def take_auths_port(step: str) -> None:
        if step == "services" and not asked:
            asked.append(int(json.loads((home.run / "ports.json").read_text())["AUTH_GRPC_PORT"]))
            taken.bind((ports.LOOPBACK, asked[0]))
            taken.listen()

    with taken:
        try:
            stack, demo = start(
                home, {"PATH": os.environ["PATH"], "RAZVILKA_PORT": str(ports.free_port())}, take_auths_port
            )
        finally:
            bring_down(home)

    assert int(stack.ports["AUTH_GRPC_PORT"]) != asked[0]
    assert demo.api_key
