"""gRPC servicer of personal data exports."""

from __future__ import annotations

from razvilka.auth.v1 import personal_data_pb2 as pb
from razvilka.auth.v1 import personal_data_pb2_grpc as pb_grpc

from services.auth.personal_data.store import PersonalDataStore
from services.auth.shared.rpc_values import Context


class PersonalDataServicer(pb_grpc.PersonalDataServiceServicer):
    """Lists the stored data of the user in whose name the call is made."""

    def __init__(self, store: PersonalDataStore) -> None:
        self._store = store

    async def ListPersonalData(
        self, request: pb.ListPersonalDataRequest, context: Context
    ) -> pb.ListPersonalDataResponse:
        """Return a page of a part."""
        rows, following = await self._store.page(request.user_id, request.part, request.page, request.limit)
        return pb.ListPersonalDataResponse(rows_json=rows, next_page=following)
