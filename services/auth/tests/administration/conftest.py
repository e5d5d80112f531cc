"""A running auth service, asked by an administrator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from razvilka.auth.v1.administration_pb2_grpc import AdministrationServiceStub
from razvilka.auth.v1.auth_pb2_grpc import AuthServiceStub

from servicekit import rpc_client
from servicekit.call import CallContext
from servicekit.errors import ServiceError
from servicekit.testing import FakeClock
from servicekit.testing.ready_channel import ready_channel
from servicekit.tracing import begin_trace
from services.auth.server import running
from services.auth.settings import AuthSettings
from services.auth.tests.conftest import AuthCaller

REQUEST_ID = "request-of-an-administrator"


class Asking:
    """The RPCs of administrators as short calls, in the name of one of them."""

    def __init__(self, stub: Any, auth: AuthCaller) -> None:
        self._stub = stub
        self.auth = auth
        self.admin = ""

    async def call(self, request: Any) -> Any:
        """Send a request to the RPC of its name; who is not named is the administrator."""
        request.admin_user_id = request.admin_user_id or self.admin
        method = type(request).__name__.removesuffix("Request")
        call = CallContext(REQUEST_ID, begin_trace(None))
        return await rpc_client.unary(getattr(self._stub, method), request, deadline_s=60.0, call=call)

    async def refused(self, request: Any) -> ServiceError:
        """Return the error that the request is answered with."""
        with pytest.raises(ServiceError) as caught:
            await self.call(request)
        return caught.value


@pytest.fixture
async def asking(
    auth_settings: AuthSettings, auth_dsn: str, auth_pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock
) -> AsyncIterator[Asking]:
    """Return a running auth service that has an administrator."""
    async with running(auth_settings, clock) as port, ready_channel(port) as channel:
        asking = Asking(AdministrationServiceStub(channel), AuthCaller(AuthServiceStub(channel), auth_dsn))
        asking.admin = await asking.auth.new_user("root@example.ru")
        await auth_pool.execute("UPDATE auth.users SET is_admin = true WHERE id = $1", asking.admin)
        yield asking
