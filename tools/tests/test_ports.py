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


def test_free_ports_differ_and_are_never_those_of_outgoing_connections() -> None:
    """A connection that goes out between the look and the start must not be able to take one."""
    found = [ports.free_port() for _ in range(200)]

    assert len(set(found)) == 200
    assert max(found) < 32_768
    assert all(ports.is_free(port) for port in found)
