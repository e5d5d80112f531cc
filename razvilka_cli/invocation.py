"""One run of the program: where it goes, as whom, and how it speaks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Invocation:
    """What was given before and beside a command; empty is what was not given.

    It is filled while the command line is read, and only read after that.
    """

    url: str = ""
    key: str = ""
    profile: str = ""
    as_json: bool = False
