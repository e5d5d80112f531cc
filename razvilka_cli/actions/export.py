"""`razvilka export`: every request of a period, a line each."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from razvilka_cli.gateway import check
from razvilka_cli.invocation import Invocation
from razvilka_cli.output import note, whole_file
from razvilka_cli.session import open_gateway

# The gateway may look for the first page of a long period for a while.
READ_S: Final = 300.0


def export(invocation: Invocation, params: Mapping[str, Any], output: Path | None) -> None:
    """Write the lines to a file, or to the standard output.

    Raises:
        Failure: the gateway refused, or the file cannot be written.
    """
    with (
        open_gateway(invocation, read_s=READ_S) as client,
        client.stream("GET", "/v1/usage/export", params=params) as response,
    ):
        check(response)
        if output is None:
            for piece in response.iter_bytes():
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        else:
            note(f"{_saved(response, output)} bytes in {output}")


def _saved(response: httpx.Response, output: Path) -> int:
    with whole_file(output) as file:
        return sum(file.write(piece) for piece in response.iter_bytes())
