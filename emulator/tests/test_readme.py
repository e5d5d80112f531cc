"""The README keeps up with the code."""

from pathlib import Path

from emulator.wire.faults import FAULTS

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_every_fault_is_in_the_readme() -> None:
    """The table has each name with its own words."""
    missing = [name for name, what in FAULTS.items() if f"| `{name}` | {what.replace('|', '/')} |" not in README]

    assert missing == []
