"""Ports: free, busy, and who holds them."""

import os
import socket

from tools.servers import ports


def test_a_free_port_can_be_bound():
    """What is offered as free is free."""
    port = ports.free_port()

    assert ports.is_free(port)


def test_a_busy_port_names_its_holder():
    """The person who must stop something learns what."""
    with socket.socket() as listener:
        listener.bind((ports.LOOPBACK, 0))
        listener.listen()
        port = listener.getsockname()[1]

        free, holder = ports.is_free(port), ports.holder(port)

    assert not free
    assert f"(pid {os.getpid()})" in holder


def test_nobody_holds_a_free_port():
    """A port nobody listens on has no name to show."""
    assert ports.holder(ports.free_port()) == "another process"
