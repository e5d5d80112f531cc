"""Auth's AdministrationService as the gateway's tests have it."""

from __future__ import annotations

from typing import Any

from razvilka.auth.v1 import administration_pb2 as pb
from razvilka.auth.v1 import administration_pb2_grpc as pb_grpc
from razvilka.auth.v1 import auth_pb2


class FakeAdministration(pb_grpc.AdministrationServiceServicer):
    """Answers with what a test put here, and keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.users = [
            pb.ListedUser(user_id="user-9", email="anna@example.ru", email_verified=True, tier=auth_pb2.TIER_PRO)
        ]
        self.rows = [
            pb.AuditRow(
                number=7,
                actor="user:boss",
                action="user.disabled",
                subject="user:user-9",
                details_json='{"ip": "203.0.113.7"}',
                hash=bytes(32),
            )
        ]
        self.check = pb.CheckAuditLogResponse(checked=7, complete=True, head_hash=bytes(32))
        self.has_more = False

    async def ListUsers(self, request: Any, context: Any) -> pb.ListUsersResponse:
        """Return the users."""
        self.requests.append(request)
        return pb.ListUsersResponse(users=self.users, has_more=self.has_more)

    async def SetTier(self, request: Any, context: Any) -> pb.SetTierResponse:
        """Take it."""
        self.requests.append(request)
        return pb.SetTierResponse()

    async def ListAuditEvents(self, request: Any, context: Any) -> pb.ListAuditEventsResponse:
        """Return the rows."""
        self.requests.append(request)
        return pb.ListAuditEventsResponse(rows=self.rows, has_more=self.has_more)

    async def CheckAuditLog(self, request: Any, context: Any) -> pb.CheckAuditLogResponse:
        """Return the check."""
        self.requests.append(request)
        return self.check
