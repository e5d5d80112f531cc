"""OptedOut: those who are not to be written to, by address or by id of their account."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from migrate.rules.emails import compared
from services.auth.accounts.domain.invitation import Invitation


class OptedOut:
    """The lines of a file; blank ones and those that begin with `#` say nothing."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._lines = {compared(line): line for line in map(str.strip, lines) if line and not line.startswith("#")}

    def __contains__(self, invitation: Invitation) -> bool:
        return not self._lines.keys().isdisjoint(_names(invitation))

    def strangers(self, invitations: Iterable[Invitation]) -> Sequence[str]:
        """Return the lines that name nobody: a slip of the pen would have somebody written to."""
        known = {name for each in invitations for name in _names(each)}
        return [line for name, line in self._lines.items() if name not in known]


def read_opted_out(path: Path) -> OptedOut:
    """Return who a file names, one a line.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        return OptedOut(path.read_text(encoding="utf-8-sig").splitlines())
    except (OSError, UnicodeDecodeError) as exc:
        raise ValueError(f"{path} cannot be read as a text of addresses, one a line: {exc}") from exc


def _names(invitation: Invitation) -> tuple[str, str]:
    return compared(invitation.email), compared(invitation.user_id)
