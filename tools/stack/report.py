"""What `make up` and `make status` print."""

from collections.abc import Sequence
from typing import Final

from services.router.providers.access import Access
from services.router.providers.registry import BUILT_IN
from tools.accounts.demo import Demo
from tools.stack.up import Stack

REAL: Final = "the real provider"
EXAMPLE: Final = """\
curl -sN {url}/v1/chat/completions \\
  -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\
  -d '{{"model": "yandexgpt:latest", "stream": true, "messages": [{{"role": "user", "content": "Привет!"}}]}}'"""


def announcement(stack: Stack, demo: Demo, caller: dict[str, str]) -> str:
    """Return the table of a suite that has just become ready."""
    rows = [
        ("address", f"{demo.url}/v1"),
        # Behind https auth is no demonstration: people register.
        ("API key", demo.api_key or f"none yet: register at {demo.url}/registration"),
        *([("admin key", demo.admin_key)] if demo.admin_key else []),
        *([("log in", f"{demo.url}/login as {demo.demo_email}, {demo.demo_password}")] if demo.demo_email else []),
        *([("mails", f"{demo.url}/dev/outbox")] if demo.demo_email else []),
        *((row.access.title, _played_by(row.access, stack, caller)) for row in BUILT_IN),
        *([("upstreams", caller["RAZVILKA_UPSTREAMS"])] if caller.get("RAZVILKA_UPSTREAMS") else []),
        ("metrics", f"http://127.0.0.1:{stack.ports['GATEWAY_METRICS_PORT']}/metrics"),
        ("data, logs", str(stack.home.root)),
        ("for scripts", str(stack.home.demo_env)),
    ]
    return f"{table(rows)}\n\n{EXAMPLE.format(url=demo.url, key=demo.api_key or '$KEY')}"


def process_table(stack_states: Sequence[tuple[str, str, str]]) -> str:
    """Return the programs with their states."""
    rows = [(name, f"{state:<9} {description}") for name, state, description in stack_states]
    return table(rows)


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Return two aligned columns."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)


def _played_by(access: Access, stack: Stack, caller: dict[str, str]) -> str:
    if access.is_real(caller):
        return REAL
    if not access.surface:
        return "no credentials"
    return f"emulator, http://127.0.0.1:{stack.ports[f'EMULATOR_{access.surface.upper()}_PORT']}"
