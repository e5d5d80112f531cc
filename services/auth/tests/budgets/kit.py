"""Budgets over the real server: the RPCs as short calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from razvilka.auth.v1 import auth_pb2, budgets_pb2

from servicekit import rpc_client

if TYPE_CHECKING:
    from services.auth.tests.conftest import AuthCaller


class BudgetCaller:
    """Asks for one user with one key; for an administrator where it says so."""

    def __init__(self, stub: Any, auth: AuthCaller) -> None:
        self._stub = stub
        self.auth = auth

    async def call(self, request: Any) -> Any:
        """Send a request to the RPC of its name."""
        method = type(request).__name__.removesuffix("Request")
        return await rpc_client.unary(getattr(self._stub, method), request, deadline_s=60.0)

    async def put(self, user_id: str, key_id: str, **order: Any) -> budgets_pb2.Cap:
        """Set or change a cap."""
        request = budgets_pb2.PutBudgetRequest(
            user_id=user_id, order=budgets_pb2.CapOrder(**order), maker=maker_of(key_id)
        )
        answer: budgets_pb2.PutBudgetResponse = await self.call(request)
        return answer.cap

    async def put_as(self, admin_id: str, **order: Any) -> budgets_pb2.Cap:
        """Set or change a cap as an administrator."""
        request = budgets_pb2.AdministerPutBudgetRequest(admin_user_id=admin_id, order=budgets_pb2.CapOrder(**order))
        answer: budgets_pb2.AdministerPutBudgetResponse = await self.call(request)
        return answer.cap

    async def delete(self, user_id: str, key_id: str, id: str) -> None:
        """Remove a cap."""
        await self.call(budgets_pb2.DeleteBudgetRequest(user_id=user_id, id=id, maker=maker_of(key_id)))

    async def caps(self, user_id: str) -> list[budgets_pb2.Cap]:
        """Return what caps a user."""
        answer: budgets_pb2.ListBudgetsResponse = await self.call(budgets_pb2.ListBudgetsRequest(user_id=user_id))
        return list(answer.caps)


def maker_of(key_id: str) -> auth_pb2.Authority:
    """Return the credential that asks."""
    return auth_pb2.Authority(scopes=["keys:write"], subject=f"key:{key_id}")


def order(**changes: Any) -> dict[str, Any]:
    """Return the fields of a monthly budget of the account."""
    return {"owner": "user", "measure": "cost", "period": "month", "amount": 5_000_000} | changes
