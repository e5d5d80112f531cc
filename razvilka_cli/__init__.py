"""`razvilka`: the gateway from a command line. It knows nothing but the public HTTP API, and never a program of ours.

What takes long to import is imported by the command that needs it: `razvilka --help` answers at once.
"""

from __future__ import annotations

from razvilka_cli.commands import main

__all__ = ["main"]
