"""gRPC servicer of administration: decode, call, encode; no rules."""

from __future__ import annotations

from razvilka.auth.v1 import administration_pb2 as pb
from razvilka.auth.v1 import administration_pb2_grpc as pb_grpc
from razvilka.auth.v1 import auth_pb2

from servicekit.errors import invalid_parameter
from servicekit.timestamps import timestamp_to_proto
from services.auth.administration.audit import AuditLog
from services.auth.administration.domain.listed import AuditQuestion, ListedUser
from services.auth.administration.people import People
from services.auth.shared.domain.audit import AuditRow
from services.auth.shared.rpc_values import TIER_FROM_PROTO, TIER_TO_PROTO, Context


class AdministrationServicer(pb_grpc.AdministrationServiceServicer):
    """Implements the administration service."""

    def __init__(self, people: People, audit: AuditLog) -> None:
        self._people = people
        self._audit = audit

    async def ListUsers(self, request: pb.ListUsersRequest, context: Context) -> pb.ListUsersResponse:
        """Return a page of accounts."""
        users, more = await self._people.list_users(
            request.admin_user_id, request.search, request.after_id, request.page_size
        )
        return pb.ListUsersResponse(users=map(user_to_proto, users), has_more=more)

    async def SetTier(self, request: pb.SetTierRequest, context: Context) -> pb.SetTierResponse:
        """Give an account a tier."""
        if request.tier == auth_pb2.TIER_UNSPECIFIED or request.tier not in TIER_FROM_PROTO:
            raise invalid_parameter("tier", "There is no such tier.")
        await self._people.set_tier(request.admin_user_id, request.user_id, TIER_FROM_PROTO[request.tier])
        return pb.SetTierResponse()

    async def ListAuditEvents(self, request: pb.ListAuditEventsRequest, context: Context) -> pb.ListAuditEventsResponse:
        """Return a page of the audit log."""
        question = AuditQuestion(request.actor, request.action, request.subject, request.before)
        rows, more = await self._audit.read(request.admin_user_id, question, request.limit)
        return pb.ListAuditEventsResponse(rows=map(row_to_proto, rows), has_more=more)

    async def CheckAuditLog(self, request: pb.CheckAuditLogRequest, context: Context) -> pb.CheckAuditLogResponse:
        """Say whether the audit log is whole."""
        found = await self._audit.check(request.admin_user_id)
        return pb.CheckAuditLogResponse(
            checked=found.head.seq,
            broken_at=found.broken_at or 0,
            complete=found.is_complete,
            head_hash=found.head.hash,
        )


def user_to_proto(user: ListedUser) -> pb.ListedUser:
    """Return an account as administrators see it."""
    return pb.ListedUser(
        user_id=user.id,
        email=user.email,
        email_verified=user.email_verified,
        name=user.name,
        tier=TIER_TO_PROTO[user.tier],
        admin=user.is_admin,
        disabled=user.is_disabled,
        created_at=timestamp_to_proto(user.created_at),
        live_keys=user.live_keys,
    )


def row_to_proto(row: AuditRow) -> pb.AuditRow:
    """Return a row of the audit log."""
    return pb.AuditRow(
        number=row.seq,
        at=timestamp_to_proto(row.at),
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        details_json=row.details,
        hash=row.hash,
    )
