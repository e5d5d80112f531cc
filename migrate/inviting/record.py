"""The record of an invitation: a line an account, and their counts."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from migrate.inviting.opted_out import OptedOut
from migrate.report.faults import report_errors
from services.auth.accounts.domain.invitation import Invitation, InvitationState

NAME: Final = "invitations.jsonl"


def still_to_invite(invitations: Iterable[Invitation], opted_out: OptedOut) -> list[str]:
    """Return the ids of those whose mail is still to be sent."""
    return [each.user_id for each in invitations if each.state.is_to_be_invited and each not in opted_out]


def counted(invitations: Sequence[Invitation], opted_out: OptedOut) -> dict[str, Any]:
    """Return how many accounts have come how far."""
    states = Counter(each.state for each in invitations)
    return {
        "accounts": len(invitations),
        "states": {state.value: states[state] for state in InvitationState},
        "opted_out": sum(each in opted_out for each in invitations),
        "still_to_invite": len(still_to_invite(invitations, opted_out)),
    }


def write_record(folder: Path, invitations: Iterable[Invitation], opted_out: OptedOut) -> Path:
    """Write who got which mail and who none, whole or not at all; only its owner can read the file.

    Raises:
        ReportFault: it cannot be written.
    """
    path = folder / NAME
    new = path.with_suffix(".new")
    with report_errors(path):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.writelines(_line(each, each in opted_out) for each in invitations)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    return path


def _line(invitation: Invitation, is_opted_out: bool) -> bytes:
    at = invitation.queued_at
    content = {
        "user_id": invitation.user_id,
        "email": invitation.email,
        "state": invitation.state.value,
        "opted_out": is_opted_out,
        "written_to": invitation.written_to or None,
        "queued_at": None if at is None else at.isoformat(),
    }
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"
