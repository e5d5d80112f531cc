"""The supervised stores: started, started again, killed, stopped, and their data kept."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from tools.servers import bootstrap, ports
from tools.stack.down import bring_down
from tools.stack.environments import DATABASE
from tools.stack.home import Home
from tools.stack.supervision.leftovers import end_leftovers, leftovers
from tools.stack.up import Stack, describe, start_stores


@pytest.fixture
def home(servers_folder: Path, request: pytest.FixtureRequest) -> Iterator[Home]:
    # A blank and a percent sign: both have a meaning in the supervisor's configuration.
    made = Home(servers_folder / f"{request.node.name} 100%")
    yield made
    bring_down(made)


def described(home: Home) -> Stack:
    return describe(home, {"PATH": os.environ["PATH"], "RAZVILKA_PORT": str(ports.free_port())})


def pids(stack: Stack) -> dict[str, int]:
    return {each.name: each.pid for each in stack.supervisor.states() if each.name in ("postgres", "redis")}


def test_starting_twice_starts_nothing_new(home):
    """The second `make up` finds the first one's processes and leaves them alone."""
    first = described(home)
    start_stores(first)
    before = pids(first)

    second = described(home)
    start_stores(second)

    assert before == pids(second)
    assert all(before.values())


def test_down_leaves_no_process_and_keeps_the_data(home):
    """What was written is there after `make down` and another `make up`."""
    stack = described(home)
    start_stores(stack)
    bootstrap.create_database(stack.admin_dsn("postgres"), DATABASE)
    with psycopg.connect(stack.admin_dsn(DATABASE)) as connection:
        connection.execute("CREATE TABLE kept (id int)")
    with redis.Redis.from_url(stack.environments.redis_url) as client:
        client.set("kept", "yes")

    something = bring_down(home)
    left = leftovers(home)
    again = described(home)
    start_stores(again)

    assert something
    assert left == []
    with psycopg.connect(again.admin_dsn(DATABASE)) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    with redis.Redis.from_url(again.environments.redis_url) as client:
        assert client.get("kept") == b"yes"


def test_a_killed_supervisor_is_no_obstacle(home):
    """Its orphans are found and ended, and the next start works."""
    stack = described(home)
    start_stores(stack)
    supervisor_pid = int((home.run / "supervisor.pid").read_text())
    os.kill(supervisor_pid, signal.SIGKILL)

    found = end_leftovers(home)
    again = described(home)
    start_stores(again)

    assert found >= 2
    assert all(pids(again).values())


def test_nothing_runs_in_a_folder_that_was_never_started(tmp_path):
    """`make down` without a suite is no error."""
    assert bring_down(Home(tmp_path)) is False


def test_passwords_are_asked_for(home):
    """The database does not trust whoever reaches its port."""
    stack = described(home)
    start_stores(stack)

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(stack.postgres.dsn("wrong"))


def test_settings_that_changed_restart_only_their_program(home):
    """A second `make up` with another setting applies it; the stores keep running."""
    stack = described(home)
    start_stores(stack)
    before = pids(stack)

    changed = describe(home, {"PATH": os.environ["PATH"], "GATEWAY_PORT": stack.ports["GATEWAY_PORT"],
                              "REDIS_PORT": str(ports.free_port())})  # fmt: skip
    start_stores(changed)

    after = pids(changed)
    assert after["postgres"] == before["postgres"]
    assert after["redis"] != before["redis"]
