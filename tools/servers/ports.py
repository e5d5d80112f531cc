"""TCP ports on the loopback interface: find a free one, say who holds a busy one."""

import os
import random
import socket
from typing import Final

import psutil

LOOPBACK = "127.0.0.1"
# Below the ports that systems give to outgoing connections (Linux: from 32768, others: from 49152): between our look
# and the server's start such a connection, often one of the suite's own, would take the port and keep it.
FREE_PORTS: Final = range(10_240, 32_768)
SHARES: Final = 16
_given: set[int] = set()


def free_port() -> int:
    """Return a port that nobody listens on and that this process has not given to anybody else."""
    # Test processes look side by side: while each keeps to its own share, no two choose the same port.
    own = FREE_PORTS[os.getpid() % SHARES :: SHARES]
    while True:
        port = random.SystemRandom().choice(own if len(_given) < len(own) // 2 else FREE_PORTS)
        if port not in _given and is_free(port):
            _given.add(port)
            return port


def is_free(port: int) -> bool:
    """Say whether a server could bind the port on loopback now."""
    with socket.socket() as probe:
        # Servers set this too; without it a port in TIME_WAIT looks taken for a minute after `make down`.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_allowed(port: int) -> bool:
    """Say whether this user may listen on the port at all (those below 1024 are often root's)."""
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError:
            return False
        except OSError:
            return True
    return True


def holder(port: int) -> str:
    """Return "name (pid 123)" of whoever listens on the port, or "another process" when the system won't tell."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.Error:
        return "another process"
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or not connection.laddr or not connection.pid:
            continue
        if connection.laddr.port == port:
            return _describe(connection.pid)
    return "another process"


def _describe(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"
