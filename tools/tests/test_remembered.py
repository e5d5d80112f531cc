"""Ports and secrets that stay the same from run to run."""

import socket

import pytest

from tools.servers import ports
from tools.stack.errors import StackError
from tools.stack.home import Home
from tools.stack.remembered import (
    GATEWAY_PORT,
    PORT_VARIABLES,
    PROBE_EVERY_S,
    remembered_ports,
    remembered_secrets,
    with_choices,
)


@pytest.fixture
def home(tmp_path) -> Home:
    made = Home(tmp_path)
    made.prepare()
    return made


def test_ports_are_all_different_and_remembered(home):
    """A second start finds the suite where it was."""
    asked = {"RAZVILKA_PORT": str(ports.free_port())}

    first = remembered_ports(home, asked, running=False)
    second = remembered_ports(home, asked, running=False)

    assert first == second
    assert len(set(first.values())) == len(PORT_VARIABLES) + 1


def test_a_port_taken_by_somebody_else_is_chosen_anew(home):
    """Only the gateway's port is a promise."""
    asked = {"RAZVILKA_PORT": str(ports.free_port())}
    first = remembered_ports(home, asked, running=False)
    with socket.socket() as listener:
        listener.bind((ports.LOOPBACK, int(first["AUTH_GRPC_PORT"])))
        listener.listen()

        second = remembered_ports(home, asked, running=False)

    assert second["AUTH_GRPC_PORT"] != first["AUTH_GRPC_PORT"]
    assert second["USAGE_GRPC_PORT"] == first["USAGE_GRPC_PORT"]


def test_a_taken_gateway_port_is_one_clear_line(home):
    """Which port, who holds it, and a command that works."""
    with socket.socket() as listener:
        listener.bind((ports.LOOPBACK, 0))
        listener.listen()
        port = listener.getsockname()[1]

        with pytest.raises(StackError) as raised:
            remembered_ports(home, {"RAZVILKA_PORT": str(port)}, running=False)

    message = str(raised.value)
    assert f"port {port} is in use by " in message
    assert "pid" in message
    assert "RAZVILKA_PORT=" in message
    assert "\n" not in message


@pytest.mark.parametrize("wrong", ["http", "0", "70000", "-1"])
def test_a_port_that_is_none_is_refused(home, wrong):
    """A slip of the keyboard is named, not passed on."""
    with pytest.raises(StackError, match="is not a port number"):
        remembered_ports(home, {"RAZVILKA_PORT": wrong}, running=False)


def test_a_running_suite_keeps_its_own_busy_ports(home):
    """Starting twice is no conflict with oneself."""
    port = str(ports.free_port())
    first = remembered_ports(home, {"RAZVILKA_PORT": port}, running=False)
    with socket.socket() as listener:
        listener.bind((ports.LOOPBACK, int(port)))
        listener.listen()

        second = remembered_ports(home, {"RAZVILKA_PORT": port}, running=True)

    assert second == first
    assert second[GATEWAY_PORT] == port


def test_the_callers_own_ports_win(home):
    """Every setting can be given by its variable."""
    asked = {GATEWAY_PORT: str(ports.free_port()), "AUTH_GRPC_PORT": str(ports.free_port())}

    chosen = remembered_ports(home, asked, running=False)

    assert {name: chosen[name] for name in asked} == asked


def test_secrets_are_made_once_and_private(home):
    """Other passwords would lock the data away."""
    first, second = remembered_secrets(home), remembered_secrets(home)

    assert first == second
    assert len(set(first.values())) == len(first)
    assert (home.root / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_what_a_suite_was_brought_up_with_counts_for_commands_that_do_not_say_it(home):
    """`make rotate-pepper` would else start the gateway anew, with other settings, under its callers."""
    assert with_choices(home, {"A": "1"}) == {"A": "1"}

    with_choices(home, {PROBE_EVERY_S: "300"})

    assert with_choices(home, {"A": "1"}) == {"A": "1", PROBE_EVERY_S: "300"}
    assert with_choices(home, {PROBE_EVERY_S: ""})[PROBE_EVERY_S] == ""
    assert with_choices(home, {})[PROBE_EVERY_S] == ""
