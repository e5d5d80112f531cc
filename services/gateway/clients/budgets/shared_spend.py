"""What subjects spent, organizations too: those are summed over who belonged to them and when."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import grpc
from razvilka.usage.v1 import shared_spend_pb2 as pb
from razvilka.usage.v1 import shared_spend_pb2_grpc

from servicekit import rpc_client
from servicekit.timestamps import timestamp_to_proto
from services.gateway.admission.keys import ORGANIZATION_SUBJECT

DEADLINE_S: Final = 2.0
MOST_PARTS: Final = 1000
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Membership:
    """Somebody's time in an organization; `left_at` is None while it lasts."""

    user_id: str
    joined_at: datetime
    left_at: datetime | None


SpendOf = Callable[[str, str, datetime | None, datetime | None], Awaitable[int]]
MembersOf = Callable[[str], Awaitable[Sequence[Membership]]]


class SharedSpend:
    """Sums what was spent, in micro-roubles: of one account by `spend_of`, of an organization over its members."""

    def __init__(self, channel: grpc.aio.Channel, spend_of: SpendOf, members_of: MembersOf) -> None:
        self._stub = shared_spend_pb2_grpc.SharedSpendServiceStub(channel)
        self._spend_of = spend_of
        self._members_of = members_of

    async def spend_of(self, owner: str, subject: str, since: datetime | None, until: datetime | None) -> int:
        """Return what a subject spent from one moment until before another; None: no such end.

        Raises:
            ServiceError: auth or the usage service does not say.
        """
        if not subject.startswith(ORGANIZATION_SUBJECT):
            return await self._spend_of(owner, subject, since, until)
        members = await self._members_of(subject.removeprefix(ORGANIZATION_SUBJECT))
        parts = [part for each in members if (part := _part(each, since, until)) is not None]
        return sum([await self._sum(parts[at : at + MOST_PARTS]) for at in range(0, len(parts), MOST_PARTS)])

    async def _sum(self, parts: Sequence[pb.GetSharedSpendRequest.Part]) -> int:
        request = pb.GetSharedSpendRequest(parts=parts)
        answer = await rpc_client.unary(self._stub.GetSharedSpend, request, deadline_s=DEADLINE_S)
        return int(answer.cost_micro_rub)


def _part(member: Membership, since: datetime | None, until: datetime | None) -> pb.GetSharedSpendRequest.Part | None:
    """Return which of a member's spending counts in a span; None: nothing of it."""
    begins, ends = max(member.joined_at, since or _FIRST), min(member.left_at or _LAST, until or _LAST)
    if begins >= ends:
        return None
    return pb.GetSharedSpendRequest.Part(
        user_id=member.user_id, since=timestamp_to_proto(begins), until=timestamp_to_proto(ends)
    )
