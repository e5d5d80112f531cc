"""invite: asks the owners of moved accounts, who have no password, to set one."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from migrate.inviting.opted_out import OptedOut, read_opted_out
from migrate.inviting.pace import Pace, pieces, read_pace
from migrate.inviting.record import counted, still_to_invite, write_record
from migrate.moving.run import source_id_of
from migrate.moving.target import open_auth
from migrate.source.faults import SourceFault
from migrate.verbs.verb import DONE, NEEDS_A_PERSON, Verb, checked, print_json
from servicekit.clock import SystemClock
from servicekit.errors import NotFound
from services.auth.accounts.domain.invitation import Invitation
from services.auth.accounts.mail.invitations import Invitations
from services.auth.accounts.store.invitations import InvitationStore

STOPPED: Final = 130


def invite(given: argparse.Namespace) -> int:
    """Invite whom nobody wrote to yet; after a stop it goes on where it stood."""
    try:
        queued, known = asyncio.run(_invite(given))
    except KeyboardInterrupt:
        print("stopped; the same words go on with those who are left", file=sys.stderr)
        return STOPPED
    path = write_record(given.report, known, given.opted_out)
    summary = {"no_mail": given.no_mail, "queued_now": queued, **counted(known, given.opted_out), "record": str(path)}
    given.log.mark("invited", **summary)
    if given.json:
        print_json(summary)
    else:
        _print_summary(summary, given.opted_out.strangers(known))
    waits = summary["states"]["refused"] or (summary["still_to_invite"] and not given.no_mail)
    return NEEDS_A_PERSON if waits else DONE


async def _invite(given: argparse.Namespace) -> tuple[int, list[Invitation]]:
    async with open_auth() as pool:
        invitations = Invitations(InvitationStore(pool), source_id_of(given.source), clock=SystemClock())
        try:
            known = await invitations.all()
        except NotFound as exc:
            text = f"Nothing was moved from {given.source}: give the file the name and place that `run` moved it from."
            raise SourceFault("not_moved", text) from exc
        wanted = still_to_invite(known, given.opted_out)[: given.limit]
        if given.no_mail or not wanted:
            return 0, known
        return await _send(invitations, wanted, given), await invitations.all()


async def _send(invitations: Invitations, wanted: Sequence[str], given: argparse.Namespace) -> int:
    pace: Pace = given.rate
    if not given.json:
        print(f"inviting {len(wanted)}, about {len(wanted) / pace.per_s / 60:,.1f} min", file=sys.stderr, flush=True)
    queued, tenth = 0, max(1, len(wanted) // 10)
    async for piece in pieces(wanted, pace, SystemClock()):
        before = queued
        queued += len(await invitations.invite(piece, given.language))
        if not given.json and queued // tenth > before // tenth:
            print(f"invited {queued} of {len(wanted)}", file=sys.stderr, flush=True)
    return queued


def _print_summary(summary: dict[str, Any], strangers: Sequence[str]) -> None:
    did = "nobody was written to (--no-mail)" if summary["no_mail"] else f"{summary['queued_now']} mails queued now"
    print(f"{summary['accounts']} accounts were moved; {did}")
    for state, accounts in summary["states"].items():
        if accounts:
            print(f"  {state}: {accounts}")
    print(f"opted out: {summary['opted_out']}; still to invite: {summary['still_to_invite']}")
    for line in strangers:
        print(f"--except: no moved account has the address or id {line}", file=sys.stderr)
    print(f"who got which: {summary['record']}")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rate", type=checked(read_pace), default=Pace(1.0), help="5/s, 100/min or 1000/h; 1/s when not said"
    )
    parser.add_argument("--limit", type=checked(_count), help="invite so many in this run")
    parser.add_argument("--language", choices=("ru", "en"), help="of the mails; the account's when not said")
    parser.add_argument(
        "--except",
        dest="opted_out",
        type=checked(lambda path: read_opted_out(Path(path))),
        default=OptedOut(),
        metavar="FILE",
        help="addresses or account ids, one a line, that are not written to",
    )
    parser.add_argument("--no-mail", action="store_true", help="write the record of who would be invited, to nobody")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 10**9:
        raise ValueError(f"{text!r} is no number of mails, like 100")
    return int(text)


VERB: Final = Verb(
    "invite", "ask the owners of moved accounts to set a password, each once", invite, _add_arguments, needs_report=True
)
