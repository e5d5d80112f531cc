"""Which accounts are one person's, as a person decided: `KEEP<-GONE`. Nobody is merged without such a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from migrate.fates.fate import Fate, Moved, Repair
from migrate.fates.records import Account, Request
from migrate.rules.verdict import Text

ARROW: Final = "<-"
RULE: Final = "owner_by_decision"


class WrongDecision(Exception):
    """A decision that cannot be carried out; the message is one line that says why and what to do."""

    code = "wrong_decision"


@dataclass(frozen=True, slots=True)
class Collision:
    """Accounts whose addresses a person or the database takes for one; the first keeps it, nobody is merged.

    Attributes:
        user_ids: in 1.1; those that 1.1 has already stand first.
        of_1_1: how many these are.
    """

    address: str
    user_ids: tuple[str, ...]
    of_1_1: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """Keys and usage of `gone` are from now on those of `keep`."""

    keep: str
    gone: str


def read_decision(text: str) -> Decision:
    """Return what `KEEP<-GONE` says.

    Raises:
        WrongDecision: it says something else.
    """
    keep, arrow, gone = (part.strip() for part in text.partition(ARROW))
    if not (arrow and keep and gone) or ARROW in gone:
        raise WrongDecision(f"{text!r} is no decision: write KEEP<-GONE, two ids of users, as inspect lists them.")
    return Decision(keep, gone)


def owners_of(decisions: Iterable[Decision], collisions: Sequence[Collision]) -> dict[str, str]:
    """Return the account on which each of those who go is booked.

    Raises:
        WrongDecision: their addresses are not one, one goes twice or is kept too, or one who goes is of 1.1.
    """
    owners: dict[str, str] = {}
    for decision in decisions:
        if owners.setdefault(decision.gone, decision.keep) != decision.keep:
            raise WrongDecision(f"{decision.gone} goes to two accounts: leave one of the decisions.")
        _check_collide(decision, collisions)
    both = sorted(owners.keys() & set(owners.values()))
    if both:
        raise WrongDecision(f"{both[0]} is kept and gone: name the account that is kept in the end in each decision.")
    return owners


def _check_collide(decision: Decision, collisions: Sequence[Collision]) -> None:
    shared = [each for each in collisions if {decision.keep, decision.gone} <= set(each.user_ids)]
    if not shared or decision.keep == decision.gone:
        raise WrongDecision(
            f"{decision.keep}{ARROW}{decision.gone}: these are no two accounts with one address; inspect and plan list "
            "those that are."
        )
    if decision.gone in shared[0].user_ids[: shared[0].of_1_1]:
        raise WrongDecision(f"{decision.gone} is an account of 1.1: it stays; write {decision.gone}{ARROW}...")


def merged_away(fate: Fate[Account], owners: Mapping[str, str]) -> Fate[Account]:
    """Return the fate of an account: another one takes its place where somebody decided so."""
    if not isinstance(fate, Moved) or fate.record.id not in owners:
        return fate
    account, keep = fate.record, owners[fate.record.id]
    repairs = (
        Repair("id", Text(account.id.encode()), keep, RULE),
        Repair("email", Text(account.email.encode()), None, RULE),
    )
    return Moved(replace(account, id=keep, is_merged_away=True), (*fate.repairs, *repairs))


R = TypeVar("R", bound=Request)


def booked(fate: Fate[R], owners: Mapping[str, str]) -> Fate[R]:
    """Return the fate of a request, on the account that somebody decided."""
    if not isinstance(fate, Moved) or fate.record.user_id not in owners:
        return fate
    old = fate.record.user_id
    repair = Repair("user_id", Text(old.encode()), owners[old], RULE)
    return Moved(replace(fate.record, user_id=owners[old]), (*fate.repairs, repair))
