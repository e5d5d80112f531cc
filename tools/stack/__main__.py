"""`python -m tools.stack up|down|status|logs|psql`."""

import errno
import os
import sys
from collections.abc import Callable, Mapping
from typing import Final

import httpx

from tools.servers import binaries
from tools.servers.errors import ServerError
from tools.servers.ports import LOOPBACK
from tools.servers.postgres import SUPERUSER
from tools.stack import report
from tools.stack.down import bring_down
from tools.stack.environments import DATABASE
from tools.stack.errors import StackError
from tools.stack.home import Home, home_of, read_json
from tools.stack.readiness import is_ready
from tools.stack.remembered import GATEWAY_PORT
from tools.stack.supervision.supervisor import Supervisor
from tools.stack.up import start


def up(home: Home, _arguments: list[str]) -> None:
    """Start the suite and say how to use it."""
    home.prepare()
    with home.locked():
        caller = dict(os.environ)
        stack, demo = start(home, caller, lambda step: print(f"  ... {step}", flush=True))
    print(report.announcement(stack, demo, caller))


def down(home: Home, _arguments: list[str]) -> None:
    """Stop what `up` started in this folder; the data stays."""
    if not home.root.exists():
        print("nothing runs here")
        return
    with home.locked():
        something = bring_down(home)
    print("stopped; the data is kept in " + str(home.root) if something else "nothing runs here")


def status(home: Home, _arguments: list[str]) -> None:
    """Show every program and whether the gateway is ready."""
    states = Supervisor(home).states()
    if not states:
        raise StackError("the suite does not run: make up starts it")
    print(report.process_table([(each.name, each.state, each.description) for each in states]))
    url = f"http://{LOOPBACK}:{read_json(home.run / 'ports.json')[GATEWAY_PORT]}"
    with httpx.Client(trust_env=False, timeout=2.0) as client:
        ready = is_ready(client, url)
    print(f"\n  {url} is {'ready' if ready else 'NOT ready'}")


def logs(home: Home, arguments: list[str]) -> None:
    """Follow the logs of all programs, or of those named."""
    files = [str(home.log(name)) for name in arguments] or [str(file) for file in sorted(home.logs.glob("*.log"))]
    if not files:
        raise StackError("there are no logs yet: make up starts the suite")
    os.execvp("tail", ["tail", "-n", "30", "-F", *files])


def psql(home: Home, arguments: list[str]) -> None:
    """Open a superuser's session in the suite's database."""
    secrets, ports = read_json(home.root / "secrets.json"), read_json(home.run / "ports.json")
    if not secrets or not Supervisor(home).is_running():
        raise StackError("the suite does not run: make up starts it")
    program = str(binaries.postgres_bin_dir() / "psql")
    where = ["-h", LOOPBACK, "-p", ports["POSTGRES_PORT"], "-U", SUPERUSER, "-d", DATABASE]
    os.execve(program, [program, *where, *arguments], os.environ | {"PGPASSWORD": secrets[SUPERUSER]})


COMMANDS: Final[Mapping[str, Callable[[Home, list[str]], None]]] = {
    "up": up,
    "down": down,
    "status": status,
    "logs": logs,
    "psql": psql,
}


def main(arguments: list[str]) -> int:
    """Run a command and return the process's exit code; what a person can fix is one line."""
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        print(f"usage: python -m tools.stack {'|'.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        command(home_of(os.environ), arguments[1:])
    except ServerError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; Python must not complain about it again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as exc:
        if exc.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        print(f"error: cannot write {exc.filename or 'a file'}: {exc.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; make down stops what has been started", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
