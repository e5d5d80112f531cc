"""The supervisor process: its start, and the calls over its control socket."""

import contextlib
import http.client
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from xmlrpc.client import Fault, ServerProxy

import psutil
from supervisor import xmlrpc

from tools.servers.postgres import neutral_environment
from tools.stack.errors import StackError
from tools.stack.home import Home
from tools.stack.supervision.program import Program
from tools.stack.supervision.supervisor_config import write_config

START_DEADLINE_S: Final = 15.0
NOT_RUNNING: Final = (OSError, http.client.HTTPException)
ALREADY_STARTED: Final = 60  # supervisor.xmlrpc.Faults
GAVE_UP: Final = "FATAL"
STILL_THERE: Final = frozenset({"STARTING", "RUNNING", "STOPPING"})
SHUTDOWN_DEADLINE_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What the supervisor knows about a program."""

    name: str
    state: str
    pid: int
    description: str


class Supervisor:
    """The supervisor of one suite, whether it runs or not."""

    def __init__(self, home: Home) -> None:
        """Nothing is started."""
        self._home = home

    def is_running(self) -> bool:
        """Say whether the supervisor answers."""
        try:
            self._calls().getState()
        except NOT_RUNNING:
            return False
        return True

    def apply(self, programs: Sequence[Program]) -> None:
        """Run the supervisor with exactly these programs; those whose settings changed are stopped.

        Raises:
            StackError: the supervisor does not start.
        """
        config = write_config(self._home, programs)
        if not self.is_running():
            self._run(str(config))
            return
        [[added, changed, removed]] = self._calls().reloadConfig()
        self.stop((*changed, *removed), deadline_s=SHUTDOWN_DEADLINE_S)
        for name in (*changed, *removed):
            self._calls().removeProcessGroup(name)
        for name in (*added, *changed):
            self._calls().addProcessGroup(name)

    def start(self, name: str) -> None:
        """Start a program unless it runs; the supervisor keeps trying in the background."""
        try:
            self._calls().startProcess(name, False)
        except Fault as fault:
            if fault.faultCode != ALREADY_STARTED:
                raise StackError(f"{name} cannot be started: {fault.faultString}") from fault

    def states(self) -> list[ProcessState]:
        """Return every program's state, [] when the supervisor does not run."""
        try:
            found = self._calls().getAllProcessInfo()
        except NOT_RUNNING:
            return []
        return [ProcessState(each["name"], each["statename"], int(each["pid"]), each["description"]) for each in found]

    def stop(self, names: Sequence[str], *, deadline_s: float) -> None:
        """Stop these programs together and return when they have ended (killed, when they overstay their own limit).

        Raises:
            StackError: one is still there after the deadline.
        """
        for name in names:
            with contextlib.suppress(Fault):  # it is not there, or does not run
                self._calls().stopProcess(name, False)
        give_up_at = time.monotonic() + deadline_s
        while ending := [each.name for each in self.states() if each.name in names and each.state in STILL_THERE]:
            if time.monotonic() > give_up_at:
                raise StackError(f"{', '.join(ending)} does not end: see {self._home.logs}")
            time.sleep(0.05)

    def shut_down(self) -> None:
        """End the supervisor, and with it whatever it still runs.

        Raises:
            StackError: it is still there after its deadline.
        """
        process = psutil.Process(self._calls().getPID())
        self._calls().shutdown()
        try:
            process.wait(SHUTDOWN_DEADLINE_S)
        except psutil.TimeoutExpired as exc:
            raise StackError(f"the supervisor (pid {process.pid}) does not end: see {self._home.logs}") from exc

    def _run(self, config: str) -> None:
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", config]
        # The programs' environments are in their own files; the supervisor needs none of the caller's secrets.
        neutral = {name: value for name, value in neutral_environment().items() if name in ("PATH", "HOME", "TMPDIR")}
        done = subprocess.run(command, cwd=self._home.root, env=neutral, capture_output=True, text=True, check=False)
        give_up_at = time.monotonic() + START_DEADLINE_S
        while not self.is_running():
            if done.returncode != 0 or time.monotonic() > give_up_at:
                said = (done.stderr or done.stdout).strip().partition("\n")[0] or "no message"
                raise StackError(f"the supervisor does not start: {said}")
            time.sleep(0.02)

    def _calls(self) -> Any:
        transport = xmlrpc.SupervisorTransport(None, None, f"unix://{self._home.socket}")
        return cast("Any", ServerProxy("http://supervisor", transport=transport)).supervisor
