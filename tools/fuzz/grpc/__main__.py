"""`make fuzz-grpc`: random messages to every service of a suite of its own, in every role; 0 crashes, 0 INTERNAL."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

from tools.fuzz.grpc.attack import FILES, Outcome, attack, send_noise
from tools.stack.running_stack import RunningStack, Target
from tools.stack.throwaway import running_suite

# Who may call (most of the messages), who may call little, who may call nothing, and nobody.
ROLES = (("gateway", 0.85), ("operator", 0.05), ("router", 0.05), (None, 0.05))


def main() -> int:
    """Attack and return 0 when every service lives and none was at fault."""
    parser = argparse.ArgumentParser(prog="make fuzz-grpc", description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000, help="to each service")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    home = Path(os.environ.get("RAZVILKA_HOME", ".razvilka")) / "fuzz"
    with running_suite(home) as suite:
        stack = RunningStack(suite.demo, suite.stack)
        return max([_attack(stack, service, arguments.messages, arguments.seed) for service in FILES])


def _attack(stack: RunningStack, service: str, messages: int, seed: int) -> int:
    target, pid = stack.target(service), stack.pid(service)
    faults = 0
    for role, share in ROLES:
        outcome = asyncio.run(attack(target, role, int(messages * share), seed))
        faults += outcome.faults.total()
        print(_line(service, role or "nobody", outcome), flush=True)
    asyncio.run(send_noise(target, 200, seed))
    lives = stack.pid(service) == pid and asyncio.run(_answers(target))
    print(f"  {service:<7} {'lives' if lives else 'DIED'}")
    return 0 if lives and not faults else 1


async def _answers(target: Target) -> bool:
    outcome = await attack(target, "gateway", 1, 0)
    return "UNAVAILABLE" not in outcome.statuses


def _line(service: str, role: str, outcome: Outcome) -> str:
    statuses = ", ".join(f"{name} {count}" for name, count in outcome.statuses.most_common())
    faults = f"; FAULTS {dict(outcome.faults.most_common(10))}" if outcome.faults else ""
    return f"  {service:<7} as {role:<8} {statuses}{faults}"


if __name__ == "__main__":
    sys.exit(main())
