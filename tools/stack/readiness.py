"""Wait until the gateway says that it and everything behind it can serve."""

import time
from typing import Final

import httpx

from tools.servers import ports
from tools.stack.errors import StackError
from tools.stack.home import Home, read_json
from tools.stack.supervision.supervisor import GAVE_UP, Supervisor

DEADLINE_S: Final = 180.0
# A program that fails at once is started again and again; after this many seconds of it nobody should wait on.
PATIENCE_WITH_RESTARTS_S: Final = 6.0
# On a busy machine it lives long enough for the supervisor to call it running, so that only its process ids tell.
MOST_STARTS: Final = 3


def wait_until_ready(home: Home, supervisor: Supervisor, url: str) -> None:
    """Return when every program runs and `/ready` answers 200 (the gateway alone can do without some of them).

    Raises:
        StackError: a program does not start, or the time is over.
    """
    began = time.monotonic()
    starts: dict[str, set[int]] = {}
    with httpx.Client(trust_env=False, timeout=2.0) as client:
        while not (everything_runs(home, supervisor) and is_ready(client, url)):
            waited_s = time.monotonic() - began
            fail_if_stuck(home, supervisor, starts, waited_s=waited_s)
            if waited_s > DEADLINE_S:
                raise StackError(f"the suite is not ready after {DEADLINE_S:.0f} s: see make status and make logs")
            time.sleep(0.1)


def everything_runs(home: Home, supervisor: Supervisor) -> bool:
    """Say whether every program that was started has stayed up, and every service listens.

    On a busy machine a service that will refuse its settings may take longer to say so than the supervisor waits.
    """
    chosen = read_json(home.run / "ports.json")
    for process in supervisor.states():
        port = chosen.get(f"{process.name.upper()}_GRPC_PORT")
        if process.state not in ("RUNNING", "STOPPED"):
            return False
        if process.state == "RUNNING" and port is not None and ports.is_free(int(port)):
            return False
    return True


def is_ready(client: httpx.Client, url: str) -> bool:
    """Say whether `/ready` answers 200 now, and misses nothing that it could spare for a while."""
    try:
        answer = client.get(f"{url}/ready")
        return answer.status_code == httpx.codes.OK and all(answer.json()["checks"].values())
    except httpx.HTTPError:
        return False


def fail_if_stuck(home: Home, supervisor: Supervisor, starts: dict[str, set[int]], *, waited_s: float) -> None:
    """Raise when a program has given up, or keeps failing for too long.

    Args:
        home: of the suite.
        supervisor: its supervisor.
        starts: the process ids that each program has had; what is seen now is added.
        waited_s: seconds since the start.

    Raises:
        StackError: with the last line the program wrote.
    """
    for process in supervisor.states():
        if process.pid:
            starts.setdefault(process.name, set()).add(process.pid)
        restarting = process.state == "BACKOFF" and waited_s > PATIENCE_WITH_RESTARTS_S
        if process.state == GAVE_UP or restarting or len(starts.get(process.name, ())) > MOST_STARTS:
            raise StackError(f"{process.name} does not start: {last_line(home, process.name)} (make logs shows more)")


def last_line(home: Home, program: str) -> str:
    """Return the last line of a program's log."""
    try:
        lines = home.log(program).read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1].strip()[:300] if lines else "it wrote nothing"
