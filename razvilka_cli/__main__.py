"""python -m razvilka_cli: the same as `razvilka`."""

from __future__ import annotations

from razvilka_cli import main

main()
