"""`razvilka export`: every request of a period, a line each."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from razvilka_cli.errors import Failure, Status
from razvilka_cli.gateway import check
from razvilka_cli.invocation import Invocation
from razvilka_cli.output import note
from razvilka_cli.session import open_gateway

# The gateway may look for the first page of a long period for a while.
TIMEOUT: Final = httpx.Timeout(60.0, read=300.0)


def export(invocation: Invocation, params: Mapping[str, Any], output: Path | None) -> None:
    """Write the lines to a file, or to the standard output.

    Raises:
        Failure: the gateway refused, or the file cannot be written.
    """
    with open_gateway(invocation) as client:
        client.timeout = TIMEOUT
        with client.stream("GET", "/v1/usage/export", params=params) as response:
            check(response)
            if output is None:
                for piece in response.iter_bytes():
                    sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()
            else:
                note(f"{_saved(response, output)} bytes in {output}")


def _saved(response: httpx.Response, output: Path) -> int:
    part, size = output.with_name(output.name + ".part"), 0
    try:
        with part.open("wb") as file:
            for piece in response.iter_bytes():
                size += file.write(piece)
        # A file with this name is whole, always.
        part.replace(output)
    except OSError as exc:
        raise Failure(f"{output} cannot be written: {exc.strerror}.", Status.USAGE, code="output") from exc
    finally:
        part.unlink(missing_ok=True)
    return size
