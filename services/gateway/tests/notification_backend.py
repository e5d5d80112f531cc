"""Notifications of usage, and what auth knows of people, as far as tests of the gateway need them."""

from __future__ import annotations

import asyncio
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import owners_pb2, owners_pb2_grpc
from razvilka.usage.v1 import notifications_pb2 as pb
from razvilka.usage.v1 import notifications_pb2_grpc

from servicekit.errors import ErrorReason, InvalidRequest, NotFound, ServiceError, Unavailable


class FakeOwners(owners_pb2_grpc.OwnerServiceServicer):
    """Knows the owners that a test gives it, and who is shut; everybody else is gone."""

    def __init__(self) -> None:
        self.owners: dict[str, owners_pb2.Owner] = {}
        self.shut: list[str] = []
        self.makers: dict[str, owners_pb2.Maker] = {}
        self.most_makers = 0

    async def GetOwners(self, request: Any, context: Any) -> owners_pb2.GetOwnersResponse:
        self.most_makers = max(self.most_makers, len(request.makers))
        return owners_pb2.GetOwnersResponse(
            owners=[self.owners[id] for id in request.user_ids if id in self.owners],
            gone_user_ids=[id for id in request.user_ids if id not in {*self.owners, *self.shut}],
            makers=[self.makers[subject] for subject in request.makers if subject in self.makers],
            shut_user_ids=[id for id in request.user_ids if id in self.shut],
        )


class FakeNotifications(notifications_pb2_grpc.NotificationServiceServicer):
    """Keeps channels and rules of one test, and what it is told of people; `failure` comes instead of the latter.

    `unlucky`: whoever is told of together with them, it is too much for the time there is.
    """

    def __init__(self) -> None:
        self.channels: dict[str, pb.NotificationChannel] = {}
        self.rules: dict[str, pb.NotificationRule] = {}
        self.deliveries: list[pb.NotificationDelivery] = []
        self.asked: list[Any] = []
        self.watched: list[str] = []
        self.makers: list[str] = []
        self.as_of: Timestamp | None = None
        self.told: asyncio.Queue[pb.PutPeopleRequest] = asyncio.Queue()
        self.failure: ServiceError | None = None
        self.unlucky = ""

    async def CreateChannel(self, request: Any, context: Any) -> pb.CreateChannelResponse:
        id = f"channel-{len(self.channels) + 1}"
        self.channels[id] = pb.NotificationChannel(
            id=id, kind=request.kind, name=request.name, target=request.target, maker=request.maker
        )
        secret = "whsec_c2VjcmV0" if request.kind == pb.CHANNEL_KIND_WEBHOOK else ""
        return pb.CreateChannelResponse(channel=self.channels[id], secret=secret)

    async def ListChannels(self, request: Any, context: Any) -> pb.ListChannelsResponse:
        return pb.ListChannelsResponse(channels=self.channels.values())

    async def ChangeChannel(self, request: Any, context: Any) -> pb.ChangeChannelResponse:
        self.asked.append(request)
        return pb.ChangeChannelResponse(channel=self._channel(request.id))

    async def ConfirmChannel(self, request: Any, context: Any) -> pb.ConfirmChannelResponse:
        self.asked.append(request)
        return pb.ConfirmChannelResponse(channel=self._channel(request.id))

    async def DeleteChannel(self, request: Any, context: Any) -> pb.DeleteChannelResponse:
        del self.channels[self._channel(request.id).id]
        return pb.DeleteChannelResponse()

    async def RotateSecret(self, request: Any, context: Any) -> pb.RotateSecretResponse:
        self.asked.append(request)
        return pb.RotateSecretResponse(channel=self._channel(request.id), secret="whsec_ZnJlc2g=")

    async def TestChannel(self, request: Any, context: Any) -> pb.TestChannelResponse:
        self._channel(request.id)
        return pb.TestChannelResponse()

    async def ListDeliveries(self, request: Any, context: Any) -> pb.ListDeliveriesResponse:
        self.asked.append(request)
        return pb.ListDeliveriesResponse(deliveries=self.deliveries, next_page="more")

    async def Redeliver(self, request: Any, context: Any) -> pb.RedeliverResponse:
        self.asked.append(request)
        return pb.RedeliverResponse()

    async def CreateRule(self, request: Any, context: Any) -> pb.CreateRuleResponse:
        request.rule.id = f"rule-{len(self.rules) + 1}"
        self.rules[request.rule.id] = request.rule
        return pb.CreateRuleResponse(rule=request.rule)

    async def ListRules(self, request: Any, context: Any) -> pb.ListRulesResponse:
        return pb.ListRulesResponse(rules=self.rules.values())

    async def ChangeRule(self, request: Any, context: Any) -> pb.ChangeRuleResponse:
        self.asked.append(request)
        return pb.ChangeRuleResponse(rule=self._rule(request.rule.id))

    async def DeleteRule(self, request: Any, context: Any) -> pb.DeleteRuleResponse:
        del self.rules[self._rule(request.id).id]
        return pb.DeleteRuleResponse()

    async def Unsubscribe(self, request: Any, context: Any) -> pb.UnsubscribeResponse:
        if self.failure is not None:
            raise self.failure
        if request.token != "good":
            raise InvalidRequest(ErrorReason.INVALID_PARAMETERS, "The link is not valid.", param="token")
        self.asked.append(request)
        return pb.UnsubscribeResponse()

    async def ListWatched(self, request: Any, context: Any) -> pb.ListWatchedResponse:
        behind = [id for id in self.watched if id > request.after]
        return pb.ListWatchedResponse(user_ids=behind[: request.limit], makers=self.makers, as_of=self.as_of)

    async def PutPeople(self, request: Any, context: Any) -> pb.PutPeopleResponse:
        if self.failure is not None:
            raise self.failure
        if self.unlucky in {person.user_id for person in request.people}:
            raise Unavailable(ErrorReason.DATABASE_ERROR, "The database is unavailable. Try again.")
        self.told.put_nowait(request)
        return pb.PutPeopleResponse()

    async def ListMails(self, request: Any, context: Any) -> pb.ListMailsResponse:
        return pb.ListMailsResponse()

    def _rule(self, id: str) -> pb.NotificationRule:
        if id not in self.rules:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such rule.", param="rule_id")
        return self.rules[id]

    def _channel(self, id: str) -> pb.NotificationChannel:
        if id not in self.channels:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such channel.", param="channel_id")
        return self.channels[id]
