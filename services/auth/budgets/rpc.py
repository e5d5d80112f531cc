"""gRPC servicer of budgets and organizations: decode, call, encode; no rules."""

from __future__ import annotations

from razvilka.auth.v1 import budgets_pb2 as pb
from razvilka.auth.v1 import budgets_pb2_grpc as pb_grpc

from servicekit.errors import invalid_parameter
from servicekit.timestamps import timestamp_to_proto
from services.auth.budgets.domain.cap import Cap, CapOrder
from services.auth.budgets.domain.organization import Membership, Organization
from services.auth.budgets.management import Budgets
from services.auth.budgets.membership import Organizations
from services.auth.shared.domain.budget import CapMode
from services.auth.shared.domain.delegation import Asker
from services.auth.shared.rpc_values import MODE_FROM_PROTO, MODE_TO_PROTO, Context, authority_of


class BudgetServicer(pb_grpc.BudgetServiceServicer):
    """Implements the budget service."""

    def __init__(self, budgets: Budgets, organizations: Organizations) -> None:
        self._budgets = budgets
        self._organizations = organizations

    async def ListBudgets(self, request: pb.ListBudgetsRequest, context: Context) -> pb.ListBudgetsResponse:
        """List what caps a user."""
        return pb.ListBudgetsResponse(caps=map(cap_to_proto, await self._budgets.list_of(request.user_id)))

    async def PutBudget(self, request: pb.PutBudgetRequest, context: Context) -> pb.PutBudgetResponse:
        """Set or change a cap of the user's own."""
        cap = await self._budgets.put(request.user_id, order_from_proto(request.order), asker_of(request))
        return pb.PutBudgetResponse(cap=cap_to_proto(cap))

    async def DeleteBudget(self, request: pb.DeleteBudgetRequest, context: Context) -> pb.DeleteBudgetResponse:
        """Remove a cap of the user's own."""
        await self._budgets.delete(request.user_id, request.id, asker_of(request))
        return pb.DeleteBudgetResponse()

    async def AdministerListBudgets(
        self, request: pb.AdministerListBudgetsRequest, context: Context
    ) -> pb.AdministerListBudgetsResponse:
        """List what caps any user or organization."""
        caps = await self._budgets.list_for_admin(request.admin_user_id, request.user_id, request.organization_id)
        return pb.AdministerListBudgetsResponse(caps=map(cap_to_proto, caps))

    async def AdministerPutBudget(
        self, request: pb.AdministerPutBudgetRequest, context: Context
    ) -> pb.AdministerPutBudgetResponse:
        """Set or change any cap."""
        cap = await self._budgets.put_for_admin(request.admin_user_id, order_from_proto(request.order))
        return pb.AdministerPutBudgetResponse(cap=cap_to_proto(cap))

    async def AdministerDeleteBudget(
        self, request: pb.AdministerDeleteBudgetRequest, context: Context
    ) -> pb.AdministerDeleteBudgetResponse:
        """Remove any cap."""
        await self._budgets.delete_for_admin(request.admin_user_id, request.id)
        return pb.AdministerDeleteBudgetResponse()

    async def ListOrganizations(
        self, request: pb.ListOrganizationsRequest, context: Context
    ) -> pb.ListOrganizationsResponse:
        """List organizations with their members, a page of them."""
        found, more = await self._organizations.page(
            request.admin_user_id, request.search, request.after_id, request.page_size
        )
        return pb.ListOrganizationsResponse(organizations=map(organization_to_proto, found), has_more=more)

    async def CreateOrganization(
        self, request: pb.CreateOrganizationRequest, context: Context
    ) -> pb.CreateOrganizationResponse:
        """Make an organization."""
        made = await self._organizations.create(request.admin_user_id, request.name, request.time_zone)
        return pb.CreateOrganizationResponse(organization=organization_to_proto(made))

    async def DeleteOrganization(
        self, request: pb.DeleteOrganizationRequest, context: Context
    ) -> pb.DeleteOrganizationResponse:
        """End an organization."""
        await self._organizations.delete(request.admin_user_id, request.organization_id)
        return pb.DeleteOrganizationResponse()

    async def SetMember(self, request: pb.SetMemberRequest, context: Context) -> pb.SetMemberResponse:
        """Let a user belong to an organization, or no more."""
        await self._organizations.set_member(
            request.admin_user_id, request.organization_id, request.user_id, is_member=request.is_member
        )
        return pb.SetMemberResponse()

    async def ListMemberships(self, request: pb.ListMembershipsRequest, context: Context) -> pb.ListMembershipsResponse:
        """List who belonged to an organization and when."""
        found = await self._organizations.memberships(request.organization_id)
        return pb.ListMembershipsResponse(memberships=map(membership_to_proto, found))


def asker_of(request: pb.PutBudgetRequest | pb.DeleteBudgetRequest) -> Asker:
    """Return who asks: a credential, or a person in their session."""
    return Asker(authority_of(request), request.session_id)


def order_from_proto(order: pb.CapOrder) -> CapOrder:
    """Return what is asked for."""
    return CapOrder(
        id=order.id,
        owner=order.owner,
        owner_id=order.owner_id,
        measure=order.measure,
        period=order.period,
        models=order.models,
        amount=order.amount,
        mode=_mode(order.mode) if order.mode else None,
    )


def cap_to_proto(cap: Cap) -> pb.Cap:
    """Return a cap as its owner sees it."""
    return pb.Cap(
        id=cap.id,
        subject=cap.subject,
        measure=cap.measure,
        period=cap.period,
        models=cap.models,
        amount=cap.amount,
        mode=MODE_TO_PROTO[cap.mode],
        by_admin=cap.by_admin,
        source=cap.source,
        time_zone=cap.time_zone,
        created_at=timestamp_to_proto(cap.created_at),
        updated_at=timestamp_to_proto(cap.updated_at),
        user_id=cap.user_id or "",
    )


def organization_to_proto(organization: Organization) -> pb.Organization:
    """Return an organization with its members."""
    return pb.Organization(
        id=organization.id,
        name=organization.name,
        time_zone=organization.time_zone,
        created_at=timestamp_to_proto(organization.created_at),
        member_user_ids=organization.members,
    )


def membership_to_proto(membership: Membership) -> pb.Membership:
    """Return somebody's time in an organization."""
    return pb.Membership(
        user_id=membership.user_id,
        joined_at=timestamp_to_proto(membership.joined_at),
        left_at=timestamp_to_proto(membership.left_at),
    )


def _mode(number: int) -> CapMode:
    if number not in MODE_FROM_PROTO:
        raise invalid_parameter("mode", "It must be one of: hard, soft, shadow.")
    return MODE_FROM_PROTO[number]
