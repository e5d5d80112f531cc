"""Following MOVED and ASK redirections of a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from redis.asyncio.cluster import ClusterNode, NodesManager, PipelineCommand
from redis.exceptions import AskError, MovedError, TryAgainError

# Between two tries while keys of a slot are on their way, and after servers that name each other.
TRY_AGAIN_S: Final = 0.01
AT_ONCE: Final = 3

Ask = Callable[..., Awaitable[Any]]


async def ask_redirected(nodes: NodesManager, first: ClusterNode, *args: Any, **kwargs: Any) -> Any:
    """Return the answer of the server that has the keys; it retries without end, so bound it by a timeout.

    redis-py closes every connection after some slots have moved, even those with commands under way, and may send
    ASKING and its command over different connections.
    """
    node, ask, redirections = first, _ask_plainly, 0
    while True:
        try:
            return await ask(node, *args, **kwargs)
        except MovedError as exc:
            await nodes.move_slot(exc)
            node, ask = _named(nodes, exc), _ask_plainly
        except AskError as exc:
            node, ask = _named(nodes, exc), _ask_for_once
        except TryAgainError:
            node, ask, redirections = first, _ask_plainly, AT_ONCE
        redirections += 1
        if redirections > AT_ONCE:
            await asyncio.sleep(TRY_AGAIN_S)


async def _ask_plainly(node: ClusterNode, *args: Any, **kwargs: Any) -> Any:
    return await node.execute_command(*args, **kwargs)


async def _ask_for_once(node: ClusterNode, *args: Any, **kwargs: Any) -> Any:
    """Ask the server that a slot is migrating to: ASKING and the command must go over one connection."""
    commands = [PipelineCommand(0, "ASKING"), PipelineCommand(1, *args, **kwargs)]
    await node.execute_pipeline(commands)
    answer = commands[1].result
    if isinstance(answer, Exception):
        raise answer
    return answer


def _named(nodes: NodesManager, exc: AskError) -> ClusterNode:
    known = nodes.get_node(host=exc.host, port=exc.port)
    if known is None:
        known = ClusterNode(exc.host, exc.port, **nodes.connection_kwargs)
        nodes.set_nodes(nodes.nodes_cache, {known.name: known})
    return known
