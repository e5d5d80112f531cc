"""People and the audit log, as auth shows them to administrators."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import grpc
from razvilka.auth.v1 import administration_pb2 as pb
from razvilka.auth.v1 import administration_pb2_grpc

from servicekit import rpc_client
from servicekit.call import CallContext
from services.gateway.clients.periods import TIERS
from services.gateway.clients.timestamps import moment

_TIER_TO_PROTO: Final = {tier: number for number, tier in TIERS.items()}


@dataclass(frozen=True, slots=True)
class ListedUser:
    """An account as administrators see it; `live_keys` are neither revoked nor expired."""

    id: str
    email: str = field(repr=False)
    email_verified: bool
    name: str = field(repr=False)
    tier: str
    is_admin: bool
    is_disabled: bool
    created_at: datetime | None
    live_keys: int


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row of the audit log."""

    number: int
    at: datetime | None
    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    hash: bytes


@dataclass(frozen=True, slots=True)
class AuditQuestion:
    """Which rows: each text exactly, "" any; `before`: only lower numbers, 0 any."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    before: int = 0


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """How many rows are as they were written, the first that is not (None: none), whether the end was reached."""

    checked: int
    broken_at: int | None
    is_complete: bool
    head_hash: bytes


class PeopleClient:
    """Asks auth in an administrator's name. `deadline_s` bounds each call; the chain's check takes longer."""

    def __init__(self, channel: grpc.aio.Channel, *, deadline_s: float, check_deadline_s: float = 15.0) -> None:
        self._stub = administration_pb2_grpc.AdministrationServiceStub(channel)
        self._deadline_s = deadline_s
        self._check_deadline_s = check_deadline_s

    async def _ask(self, method: Any, request: Any, call: CallContext, deadline_s: float | None = None) -> Any:
        return await rpc_client.unary(
            method, request, deadline_s=deadline_s or self._deadline_s, call=call, in_their_name=True
        )

    async def list_users(
        self, admin_user_id: str, search: str, after_id: str, limit: int, call: CallContext
    ) -> tuple[list[ListedUser], bool]:
        """Return a page of accounts, the newest first, and whether there are more.

        Raises:
            PermissionDenied: who asks is no administrator.
            InvalidRequest: the search is longer than an address.
        """
        request = pb.ListUsersRequest(admin_user_id=admin_user_id, search=search, after_id=after_id, page_size=limit)
        answer = await self._ask(self._stub.ListUsers, request, call)
        return [_user(each) for each in answer.users], answer.has_more

    async def set_tier(self, admin_user_id: str, user_id: str, tier: str, call: CallContext) -> None:
        """Give an account a tier.

        Raises:
            PermissionDenied: who asks is no administrator.
            NotFound: there is no such account.
        """
        request = pb.SetTierRequest(admin_user_id=admin_user_id, user_id=user_id, tier=_TIER_TO_PROTO[tier])
        await self._ask(self._stub.SetTier, request, call)

    async def read_audit(
        self, admin_user_id: str, question: AuditQuestion, limit: int, call: CallContext
    ) -> tuple[list[AuditRow], bool]:
        """Return a page of the audit log, the newest first, and whether there is more.

        Raises:
            PermissionDenied: who asks is no administrator.
        """
        request = pb.ListAuditEventsRequest(
            admin_user_id=admin_user_id,
            actor=question.actor,
            action=question.action,
            subject=question.subject,
            before=question.before,
            limit=limit,
        )
        answer = await self._ask(self._stub.ListAuditEvents, request, call)
        return [_row(each) for each in answer.rows], answer.has_more

    async def check_audit(self, admin_user_id: str, call: CallContext) -> ChainCheck:
        """Have the whole chain of the audit log walked.

        Raises:
            PermissionDenied: who asks is no administrator.
        """
        request = pb.CheckAuditLogRequest(admin_user_id=admin_user_id)
        found = await self._ask(self._stub.CheckAuditLog, request, call, self._check_deadline_s)
        return ChainCheck(found.checked, found.broken_at or None, found.complete, found.head_hash)


def _user(user: pb.ListedUser) -> ListedUser:
    return ListedUser(
        user.user_id,
        user.email,
        user.email_verified,
        user.name,
        TIERS.get(user.tier, "free"),
        user.admin,
        user.disabled,
        moment(user, "created_at"),
        user.live_keys,
    )


def _row(row: pb.AuditRow) -> AuditRow:
    details = json.loads(row.details_json)
    return AuditRow(row.number, moment(row, "at"), row.actor, row.action, row.subject, details, row.hash)
