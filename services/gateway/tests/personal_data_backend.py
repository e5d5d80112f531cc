"""What services keep of a person, as the gateway's tests play it: a row to a page, so that a part has several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from razvilka.auth.v1 import personal_data_pb2 as auth_pb
from razvilka.auth.v1 import personal_data_pb2_grpc as auth_grpc
from razvilka.router.v1 import personal_data_pb2 as router_pb
from razvilka.router.v1 import personal_data_pb2_grpc as router_grpc
from razvilka.usage.v1 import personal_data_pb2 as usage_pb
from razvilka.usage.v1 import personal_data_pb2_grpc as usage_grpc

from servicekit.errors import ServiceError
from services.gateway.tests.identity_backends import shown_context

MODULES: Mapping[str, Any] = {"auth": auth_pb, "router": router_pb, "usage": usage_pb}


class FakePersonalData:
    """Answers `rows` by part; `failures` come in place of the page that is asked of a part and behind a row."""

    service: str

    def __init__(self) -> None:
        self._answer = MODULES[self.service].ListPersonalDataResponse
        self.rows: dict[str, list[str]] = {}
        self.failures: dict[tuple[str, str], ServiceError] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.shown: list[bytes] = []

    async def ListPersonalData(self, request: Any, context: Any) -> Any:
        self.asked.append((request.user_id, request.part, request.page))
        self.shown.append(shown_context(context))
        failure = self.failures.get((request.part, request.page))
        if failure is not None:
            raise failure
        rows, at = self.rows.get(request.part, []), int(request.page or 0)
        following = str(at + 1) if at + 1 < len(rows) else ""
        return self._answer(rows_json=rows[at : at + 1], next_page=following)


class FakeAuthData(FakePersonalData, auth_grpc.PersonalDataServiceServicer):
    """Of auth."""

    service = "auth"


class FakeRouterData(FakePersonalData, router_grpc.PersonalDataServiceServicer):
    """Of the router."""

    service = "router"


class FakeUsageData(FakePersonalData, usage_grpc.PersonalDataServiceServicer):
    """Of usage."""

    service = "usage"
