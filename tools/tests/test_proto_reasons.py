"""Comments of the contracts name reasons that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from servicekit.errors import ErrorReason

CONTRACTS: Final = sorted((Path(__file__).parents[2] / "protos" / "razvilka").rglob("*.proto"))
OF_AN_RPC: Final = re.compile(r"((?:^ *//.*\n)+) *rpc (\w+)\(", re.MULTILINE)
# `Errors: INVALID_PARAMETERS (names the field), NOT_FOUND.` and `NOT_FOUND also when it is somebody else's`.
NAMES: Final = re.compile(r"\b(?:[A-Z]+_[A-Z_]+|CONFLICT)\b")


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_each_reason_that_an_rpc_is_said_to_have_is_one_of_the_vocabulary(contract: Path) -> None:
    """Who writes a client by the contract waits for a reason that never comes."""
    told = {name for comment, _ in OF_AN_RPC.findall(contract.read_text()) for name in NAMES.findall(comment)}

    assert told <= set(ErrorReason.__members__)
