"""Stop what `make up` started in a folder, and nothing else."""

from typing import Final

from tools.stack.home import Home
from tools.stack.supervision.leftovers import end_leftovers
from tools.stack.supervision.programs import STOP_ORDER
from tools.stack.supervision.supervisor import Supervisor

# Above the longest time that a program may take to end in order, `Program.stop_wait_s`.
DEADLINE_S: Final = 90.0


def bring_down(home: Home) -> bool:
    """Stop every process of the folder's suite and say whether there was one; the data stays.

    Raises:
        StackError: a process does not end.
    """
    supervisor = Supervisor(home)
    running = supervisor.is_running()
    if running:
        for names in STOP_ORDER:
            supervisor.stop(names, deadline_s=DEADLINE_S)
        supervisor.shut_down()
    return end_leftovers(home) > 0 or running
