"""A small service of budgets behind real gRPC, that keeps what it is told in memory."""

from __future__ import annotations

from typing import Any

from razvilka.auth.v1 import budgets_pb2 as pb
from razvilka.auth.v1 import budgets_pb2_grpc
from razvilka.usage.v1 import shared_spend_pb2, shared_spend_pb2_grpc

from servicekit.errors import ErrorReason, NotFound, ServiceError

ZONE = "Europe/Moscow"


class FakeBudgets(budgets_pb2_grpc.BudgetServiceServicer):
    """Knows one user, whose key came with a budget, and what is set."""

    def __init__(self) -> None:
        self.caps: dict[str, pb.Cap] = {
            "key:key-1": pb.Cap(
                id="key:key-1",
                user_id="user-1",
                subject="key:key-1",
                measure="cost",
                period="day",
                amount=7_000_000,
                source="key",
                time_zone=ZONE,
            )
        }
        self.organizations: dict[str, pb.Organization] = {}
        self.memberships: list[pb.Membership] = []
        self.requests: list[Any] = []
        self.refusal: ServiceError | None = None

    async def ListBudgets(self, request: Any, context: Any) -> pb.ListBudgetsResponse:
        return pb.ListBudgetsResponse(caps=[cap for cap in self.caps.values() if cap.user_id == request.user_id])

    async def PutBudget(self, request: Any, context: Any) -> pb.PutBudgetResponse:
        self.requests.append(request)
        return pb.PutBudgetResponse(cap=self._put(request.order, request.user_id, by_admin=False))

    async def DeleteBudget(self, request: Any, context: Any) -> pb.DeleteBudgetResponse:
        if self.refusal is not None:
            raise self.refusal
        self.requests.append(request)
        del self.caps[request.id]
        return pb.DeleteBudgetResponse()

    async def AdministerListBudgets(self, request: Any, context: Any) -> pb.AdministerListBudgetsResponse:
        subject = f"organization:{request.organization_id}"
        found = [cap for cap in self.caps.values() if cap.user_id == request.user_id and request.user_id]
        found += [cap for cap in self.caps.values() if cap.subject == subject]
        return pb.AdministerListBudgetsResponse(caps=found)

    async def AdministerPutBudget(self, request: Any, context: Any) -> pb.AdministerPutBudgetResponse:
        self.requests.append(request)
        owner_id = "" if request.order.owner == "organization" else request.order.owner_id
        return pb.AdministerPutBudgetResponse(cap=self._put(request.order, owner_id, by_admin=True))

    async def AdministerDeleteBudget(self, request: Any, context: Any) -> pb.AdministerDeleteBudgetResponse:
        if self.caps.pop(request.id, None) is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such budget.", param="id")
        return pb.AdministerDeleteBudgetResponse()

    async def ListOrganizations(self, request: Any, context: Any) -> pb.ListOrganizationsResponse:
        ids = [id for id, each in self.organizations.items() if request.search in (each.name, id, "")]
        at = ids.index(request.after_id) + 1 if request.after_id else 0
        listed = [self.organizations[id] for id in ids[at : at + request.page_size]]
        return pb.ListOrganizationsResponse(organizations=listed, has_more=len(ids) > at + len(listed))

    async def CreateOrganization(self, request: Any, context: Any) -> pb.CreateOrganizationResponse:
        made = pb.Organization(id="org-1", name=request.name, time_zone=request.time_zone)
        self.organizations[made.id] = made
        return pb.CreateOrganizationResponse(organization=made)

    async def DeleteOrganization(self, request: Any, context: Any) -> pb.DeleteOrganizationResponse:
        self._organization(request.organization_id)
        del self.organizations[request.organization_id]
        return pb.DeleteOrganizationResponse()

    def _organization(self, id: str) -> pb.Organization:
        if id not in self.organizations:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such organization.", param="organization_id")
        return self.organizations[id]

    async def SetMember(self, request: Any, context: Any) -> pb.SetMemberResponse:
        if self.refusal is not None:
            raise self.refusal
        members = self._organization(request.organization_id).member_user_ids
        members.append(request.user_id) if request.is_member else members.remove(request.user_id)
        return pb.SetMemberResponse()

    async def ListMemberships(self, request: Any, context: Any) -> pb.ListMembershipsResponse:
        return pb.ListMembershipsResponse(memberships=self.memberships)

    def _put(self, order: pb.CapOrder, user_id: str, *, by_admin: bool) -> pb.Cap:
        if order.id:
            cap = self.caps[order.id]
            cap.amount, cap.mode = order.amount or cap.amount, order.mode or cap.mode
            return cap
        kind = {"app": "grant"}.get(order.owner, order.owner)
        cap = pb.Cap(
            id=f"budget-{len(self.caps)}",
            user_id=user_id,
            subject=f"{kind}:{order.owner_id or user_id}",
            measure=order.measure,
            period=order.period,
            models=order.models,
            amount=order.amount,
            mode=order.mode,
            by_admin=by_admin,
            source="set",
            time_zone=ZONE,
        )
        self.caps[cap.id] = cap
        return cap


class FakeSharedSpend(shared_spend_pb2_grpc.SharedSpendServiceServicer):
    """Says that each part spent the same."""

    def __init__(self) -> None:
        self.asked: list[shared_spend_pb2.GetSharedSpendRequest] = []

    async def GetSharedSpend(self, request: Any, context: Any) -> shared_spend_pb2.GetSharedSpendResponse:
        self.asked.append(request)
        return shared_spend_pb2.GetSharedSpendResponse(cost_micro_rub=100 * len(request.parts))
