"""Notifications of the usage service, as the gateway needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import grpc
from razvilka.usage.v1 import notifications_pb2 as pb
from razvilka.usage.v1 import notifications_pb2_grpc

from servicekit import rpc_client
from servicekit.call import CallContext
from servicekit.timestamps import timestamp_to_proto
from services.gateway.clients.account_views import Mail
from services.gateway.clients.budgets.shared_spend import Membership
from services.gateway.clients.catalog import Model
from services.gateway.clients.notifications.owners import Known, Maker
from services.gateway.clients.notifications.views import (
    ChannelKind,
    ChannelView,
    DeliveryView,
    RuleOrder,
    RuleView,
    WatchedPage,
    channel_from_proto,
    delivery_from_proto,
    maker_to_proto,
    organization_to_proto,
    person_to_proto,
    rule_from_proto,
    rule_to_proto,
)
from services.gateway.clients.timestamps import moment
from services.gateway.clients.user_contexts import InWhoseName, UserCalls, of_nobody

# Longer than a message to Telegram may take (USAGE_TELEGRAM_TIMEOUT_S).
DEADLINE_S: Final = 8.0
# Everything of some hundred people is looked at before it answers.
TELL_DEADLINE_S: Final = 30.0


class NotificationClient:
    """What people do with channels and rules, and what usage is told of people. `in_whose_name` tells for whom.

    Each method that names a channel or rule raises `NotFound` for one that is absent or someone else's.
    """

    def __init__(self, channel: grpc.aio.Channel, in_whose_name: InWhoseName = of_nobody) -> None:
        self._stub = notifications_pb2_grpc.NotificationServiceStub(channel)
        self._ask = UserCalls(in_whose_name, DEADLINE_S)

    async def create_channel(
        self, user_id: str, kind: ChannelKind, name: str, target: str, call: CallContext, *, maker: str
    ) -> ChannelView:
        """Make a channel, which ends with its maker; of a webhook the secret is in this answer only.

        Raises:
            InvalidRequest: it can go nowhere.
            QuotaExceeded: the user has as many as one may have.
        """
        request = pb.CreateChannelRequest(
            user_id=user_id, kind=pb.ChannelKind.ValueType(kind), name=name, target=target, maker=maker
        )
        answer = await self._ask(self._stub.CreateChannel, request, call)
        return channel_from_proto(answer.channel, answer.secret)

    async def confirm_channel(self, user_id: str, id: str, code: str, call: CallContext) -> ChannelView:
        """Take the code that was sent to a chat.

        Raises:
            InvalidRequest: it is another one.
            QuotaExceeded: it was guessed too often.
        """
        request = pb.ConfirmChannelRequest(user_id=user_id, id=id, code=code)
        return channel_from_proto((await self._ask(self._stub.ConfirmChannel, request, call)).channel)

    async def list_channels(self, user_id: str, call: CallContext) -> list[ChannelView]:
        """Return the user's channels."""
        answer = await self._ask(self._stub.ListChannels, pb.ListChannelsRequest(user_id=user_id), call)
        return [channel_from_proto(message) for message in answer.channels]

    async def change_channel(
        self,
        user_id: str,
        id: str,
        call: CallContext,
        *,
        name: str | None,
        target: str | None,
        enabled: bool | None,
        maker: str,
    ) -> ChannelView:
        """Change what is given; `maker` asks for it, with whom it ends once it leads to another target.

        Raises:
            InvalidRequest: it could go nowhere.
        """
        request = pb.ChangeChannelRequest(
            user_id=user_id, id=id, name=name, target=target, enabled=enabled, maker=maker
        )
        return channel_from_proto((await self._ask(self._stub.ChangeChannel, request, call)).channel)

    async def delete_channel(self, user_id: str, id: str, call: CallContext) -> None:
        """Forget a channel with its history."""
        await self._ask(self._stub.DeleteChannel, pb.DeleteChannelRequest(user_id=user_id, id=id), call)

    async def rotate_secret(self, user_id: str, id: str, overlap_s: int, call: CallContext) -> ChannelView:
        """Give a webhook a fresh secret, which is in this answer only."""
        request = pb.RotateSecretRequest(user_id=user_id, id=id, overlap_s=overlap_s)
        answer = await self._ask(self._stub.RotateSecret, request, call)
        return channel_from_proto(answer.channel, answer.secret)

    async def test_channel(self, user_id: str, id: str, call: CallContext) -> None:
        """Send a test on its way.

        Raises:
            Conflict: the channel is switched off.
            QuotaExceeded: one has just been sent.
        """
        await self._ask(self._stub.TestChannel, pb.TestChannelRequest(user_id=user_id, id=id), call)

    async def list_deliveries(
        self, user_id: str, channel_id: str, limit: int, page: str, call: CallContext
    ) -> tuple[list[DeliveryView], str]:
        """Return what went by a channel, the newest first, and the name of the next page.

        Raises:
            InvalidRequest: there is no such page.
        """
        request = pb.ListDeliveriesRequest(user_id=user_id, channel_id=channel_id, limit=limit, page=page)
        answer = await self._ask(self._stub.ListDeliveries, request, call)
        return [delivery_from_proto(message) for message in answer.deliveries], answer.next_page

    async def redeliver(self, user_id: str, channel_id: str, id: str, call: CallContext) -> None:
        """Send a delivery on its way again.

        Raises:
            Conflict: the channel is switched off.
        """
        request = pb.RedeliverRequest(user_id=user_id, channel_id=channel_id, id=id)
        await self._ask(self._stub.Redeliver, request, call)

    async def create_rule(self, user_id: str, order: RuleOrder, call: CallContext, *, maker: str) -> RuleView:
        """Make a rule, which ends with its maker.

        Raises:
            InvalidRequest: it makes no sense.
            QuotaExceeded: the user has as many as one may have.
        """
        request = pb.CreateRuleRequest(user_id=user_id, rule=rule_to_proto(order, maker))
        return rule_from_proto((await self._ask(self._stub.CreateRule, request, call)).rule)

    async def list_rules(self, user_id: str, call: CallContext) -> list[RuleView]:
        """Return the user's rules."""
        answer = await self._ask(self._stub.ListRules, pb.ListRulesRequest(user_id=user_id), call)
        return [rule_from_proto(message) for message in answer.rules]

    async def change_rule(self, user_id: str, id: str, given: Mapping[str, Any], call: CallContext) -> RuleView:
        """Change the fields of a rule that are given by their names in `RuleOrder`; its kind stays.

        Raises:
            InvalidRequest: it makes no sense.
        """
        fields = {"channel_ids" if name == "channels" else name: value for name, value in given.items()}
        rule = pb.NotificationRule(id=id, **fields)
        request = pb.ChangeRuleRequest(user_id=user_id, rule=rule, fields=list(fields))
        return rule_from_proto((await self._ask(self._stub.ChangeRule, request, call)).rule)

    async def delete_rule(self, user_id: str, id: str, call: CallContext) -> None:
        """Forget a rule."""
        await self._ask(self._stub.DeleteRule, pb.DeleteRuleRequest(user_id=user_id, id=id), call)

    async def unsubscribe(self, token: str, call: CallContext) -> None:
        """Stop mails by the link in one, in nobody's name.

        Raises:
            InvalidRequest: it is none of our links.
        """
        request = pb.UnsubscribeRequest(token=token)
        await rpc_client.unary(self._stub.Unsubscribe, request, deadline_s=DEADLINE_S, call=call)

    async def list_mails(self, limit: int, call: CallContext) -> list[Mail]:
        """Return the newest mails that were kept because no mail server is set."""
        request = pb.ListMailsRequest(limit=limit)
        answer = await rpc_client.unary(self._stub.ListMails, request, deadline_s=DEADLINE_S, call=call)
        return [Mail(each.email, each.subject, each.text, moment(each, "sent_at")) for each in answer.mails]

    async def watched(self, after: str, limit: int) -> WatchedPage:
        """Return, in nobody's name, who has something, by their ids, behind a given one.

        Raises:
            ServiceError: usage cannot be asked.
        """
        request = pb.ListWatchedRequest(after=after, limit=limit)
        answer = await rpc_client.unary(self._stub.ListWatched, request, deadline_s=DEADLINE_S)
        return WatchedPage(list(answer.user_ids), list(answer.makers), moment(answer, "as_of"))

    async def put_people(
        self,
        known: Known,
        models: Sequence[Model],
        members: Mapping[str, Sequence[Membership]],
        at: datetime,
        *,
        makers: Sequence[Maker] = (),
        makers_as_of: datetime | None = None,
    ) -> None:
        """Tell, in nobody's name, what is known of people and of models that end; periods are those of the moment.

        `members` are, by the subject of each organization among the budgets, those whose spending is its own. What
        those of the `makers` that ended made before `makers_as_of` ends.

        Raises:
            ServiceError: usage cannot be told; telling it again does no harm.
        """
        request = pb.PutPeopleRequest(
            people=[person_to_proto(owner, at) for owner in known.owners],
            models=[
                pb.WatchedModel(
                    model=model.id, shutdown_at=timestamp_to_proto(model.shutdown_at), successor=model.successor
                )
                for model in models
            ],
            gone_user_ids=known.gone,
            organizations=[organization_to_proto(*each) for each in members.items()],
            makers=[maker_to_proto(maker) for maker in makers],
            makers_as_of=timestamp_to_proto(makers_as_of),
            shut_user_ids=known.shut,
        )
        await rpc_client.unary(self._stub.PutPeople, request, deadline_s=TELL_DEADLINE_S)
