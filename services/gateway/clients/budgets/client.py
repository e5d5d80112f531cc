"""Budgets, quotas and organizations at the auth service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import grpc
from razvilka.auth.v1 import auth_pb2, budgets_pb2_grpc
from razvilka.auth.v1 import budgets_pb2 as pb

from servicekit import rpc_client
from servicekit.call import CallContext
from services.gateway.admission.caps import CapMode
from services.gateway.clients.auth import authority_to_proto, session_of
from services.gateway.clients.budgets.shared_spend import Membership
from services.gateway.clients.caller import Caller
from services.gateway.clients.periods import MODES
from services.gateway.clients.timestamps import moment

_NUMBERS: Final = {mode: number for number, mode in MODES.items() if number}


@dataclass(frozen=True, slots=True)
class CapView:
    """A budget or a quota as its owner sees it.

    Attributes:
        user_id: whose account it caps; "": an organization.
        subject: "user:<id>", "key:<id>", "grant:<id>" or "organization:<id>".
        measure: "cost", "requests" or "tokens".
        period: "minute", "day", "week", "month" or "total".
        amount: micro-roubles, requests or tokens.
        source: "set", or what it came with: "key", "grant", "tier".
        time_zone: whose days, weeks and months it has.
    """

    id: str
    user_id: str
    subject: str
    measure: str
    period: str
    models: str
    amount: int
    mode: CapMode
    by_admin: bool
    source: str
    time_zone: str
    created_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CapOrder:
    """A new cap, or with an `id` another amount (0: the same) and mode (None: the same) of one."""

    id: str = ""
    owner: str = "user"
    owner_id: str = ""
    measure: str = "cost"
    period: str = ""
    models: str = ""
    amount: int = 0
    mode: CapMode | None = None


@dataclass(frozen=True, slots=True)
class OrganizationView:
    """An organization and the ids of its members."""

    id: str
    name: str
    time_zone: str
    created_at: datetime | None
    members: tuple[str, ...]


class BudgetClient:
    """Asks auth for budgets: for their owners, and where it says so for administrators. `deadline_s` bounds a call."""

    def __init__(self, channel: grpc.aio.Channel, *, deadline_s: float) -> None:
        self._stub = budgets_pb2_grpc.BudgetServiceStub(channel)
        self._deadline_s = deadline_s

    async def _ask(self, method: Any, request: Any, call: CallContext) -> Any:
        return await rpc_client.unary(method, request, deadline_s=self._deadline_s, call=call, in_their_name=True)

    async def list_of(self, user_id: str, call: CallContext) -> list[CapView]:
        """Return everything that caps a user."""
        answer = await self._ask(self._stub.ListBudgets, pb.ListBudgetsRequest(user_id=user_id), call)
        return [cap_from_proto(cap) for cap in answer.caps]

    async def put(self, maker: Caller, order: CapOrder, call: CallContext) -> CapView:
        """Set or change a cap of the caller's own.

        Raises:
            InvalidRequest: a field is wrong; it is named.
            NotFound: there is no such cap, key or application of theirs.
            PermissionDenied: an administrator set it, or the credential has a budget or quota of its own.
            Conflict: they have as many as they may have.
        """
        request = pb.PutBudgetRequest(
            user_id=maker.user_id,
            order=order_to_proto(order),
            maker=authority_to_proto(maker),
            session_id=session_of(call),
        )
        return cap_from_proto((await self._ask(self._stub.PutBudget, request, call)).cap)

    async def delete(self, maker: Caller, id: str, call: CallContext) -> None:
        """Remove a cap of the caller's own.

        Raises:
            NotFound: there is none.
            PermissionDenied: an administrator set it, or the credential has a budget or quota of its own.
        """
        request = pb.DeleteBudgetRequest(
            user_id=maker.user_id, id=id, maker=authority_to_proto(maker), session_id=session_of(call)
        )
        await self._ask(self._stub.DeleteBudget, request, call)

    async def list_as_admin(
        self, admin_id: str, call: CallContext, *, user_id: str = "", organization_id: str = ""
    ) -> list[CapView]:
        """Return what caps a user, or the budgets of an organization."""
        request = pb.AdministerListBudgetsRequest(
            admin_user_id=admin_id, user_id=user_id, organization_id=organization_id
        )
        answer = await self._ask(self._stub.AdministerListBudgets, request, call)
        return [cap_from_proto(cap) for cap in answer.caps]

    async def put_as_admin(self, admin_id: str, order: CapOrder, call: CallContext) -> CapView:
        """Set or change any cap.

        Raises:
            InvalidRequest, NotFound, Conflict: as of `put`.
            PermissionDenied: who asks is no administrator.
        """
        request = pb.AdministerPutBudgetRequest(admin_user_id=admin_id, order=order_to_proto(order))
        return cap_from_proto((await self._ask(self._stub.AdministerPutBudget, request, call)).cap)

    async def delete_as_admin(self, admin_id: str, id: str, call: CallContext) -> None:
        """Remove any cap that was set.

        Raises:
            NotFound: there is none.
            PermissionDenied: who asks is no administrator.
        """
        request = pb.AdministerDeleteBudgetRequest(admin_user_id=admin_id, id=id)
        await self._ask(self._stub.AdministerDeleteBudget, request, call)

    async def organizations(
        self, admin_id: str, search: str, after_id: str, limit: int, call: CallContext
    ) -> tuple[list[OrganizationView], bool]:
        """Return a page of organizations with their members, oldest first, and whether there are more.

        Raises:
            PermissionDenied: who asks is no administrator.
            InvalidRequest: the search is longer than a name, or no page ended with that one.
        """
        request = pb.ListOrganizationsRequest(admin_user_id=admin_id, search=search, after_id=after_id, page_size=limit)
        answer = await self._ask(self._stub.ListOrganizations, request, call)
        return [organization_from_proto(each) for each in answer.organizations], answer.has_more

    async def create_organization(
        self, admin_id: str, name: str, time_zone: str, call: CallContext
    ) -> OrganizationView:
        """Make an organization.

        Raises:
            InvalidRequest: the name or the time zone is none.
        """
        request = pb.CreateOrganizationRequest(admin_user_id=admin_id, name=name, time_zone=time_zone)
        return organization_from_proto((await self._ask(self._stub.CreateOrganization, request, call)).organization)

    async def delete_organization(self, admin_id: str, organization_id: str, call: CallContext) -> None:
        """End it.

        Raises:
            NotFound: there is none.
        """
        request = pb.DeleteOrganizationRequest(admin_user_id=admin_id, organization_id=organization_id)
        await self._ask(self._stub.DeleteOrganization, request, call)

    async def set_member(
        self, admin_id: str, organization_id: str, user_id: str, call: CallContext, *, is_member: bool
    ) -> None:
        """Let a user belong to it, or no more.

        Raises:
            NotFound: there is no such organization or user.
            Conflict: the user belongs to another one.
        """
        request = pb.SetMemberRequest(
            admin_user_id=admin_id, organization_id=organization_id, user_id=user_id, is_member=is_member
        )
        await self._ask(self._stub.SetMember, request, call)

    async def memberships(self, organization_id: str) -> Sequence[Membership]:
        """Return who belonged to an organization and when."""
        request = pb.ListMembershipsRequest(organization_id=organization_id)
        answer = await rpc_client.unary(self._stub.ListMemberships, request, deadline_s=self._deadline_s)
        return [
            Membership(each.user_id, each.joined_at.ToDatetime(UTC), moment(each, "left_at"))
            for each in answer.memberships
        ]


def order_to_proto(order: CapOrder) -> pb.CapOrder:
    """Convert at the border."""
    return pb.CapOrder(
        id=order.id,
        owner=order.owner,
        owner_id=order.owner_id,
        measure=order.measure,
        period=order.period,
        models=order.models,
        amount=order.amount,
        mode=auth_pb2.CAP_MODE_UNSPECIFIED if order.mode is None else _NUMBERS[order.mode],
    )


def cap_from_proto(message: pb.Cap) -> CapView:
    """Convert at the border."""
    return CapView(
        id=message.id,
        user_id=message.user_id,
        subject=message.subject,
        measure=message.measure,
        period=message.period,
        models=message.models,
        amount=message.amount,
        mode=MODES[message.mode],
        by_admin=message.by_admin,
        source=message.source,
        time_zone=message.time_zone or "UTC",
        created_at=moment(message, "created_at"),
        updated_at=moment(message, "updated_at"),
    )


def organization_from_proto(message: pb.Organization) -> OrganizationView:
    """Convert at the border."""
    return OrganizationView(
        message.id, message.name, message.time_zone, moment(message, "created_at"), tuple(message.member_user_ids)
    )
