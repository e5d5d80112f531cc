"""gRPC servicer of notifications: decode, call, encode; no rules."""

from __future__ import annotations

from typing import Any, TypeAlias

import grpc
from razvilka.usage.v1 import notifications_pb2 as pb
from razvilka.usage.v1 import notifications_pb2_grpc as pb_grpc

from services.usage.domain.identifiers import id_of
from services.usage.notifications.channels import Channels
from services.usage.notifications.confirming import Confirming
from services.usage.notifications.domain.kinds import ChannelKind
from services.usage.notifications.domain.rule import NewRule, Rule
from services.usage.notifications.rpc_messages import (
    changed_rule,
    changes_from_proto,
    channel_to_proto,
    delivery_to_proto,
    kind_from_proto,
    mail_to_proto,
    makers_from_proto,
    members_from_proto,
    models_from_proto,
    rule_from_proto,
    rule_to_proto,
    secret_of,
    watched_from_proto,
    watched_to_proto,
)
from services.usage.notifications.rules import Rules
from services.usage.notifications.sending.unsubscribing import Unsubscribing
from services.usage.notifications.store.channels import ChannelStore
from services.usage.notifications.store.people import Outbox
from services.usage.notifications.watching import Watching

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class NotificationServicer(pb_grpc.NotificationServiceServicer):
    """Implements the notification service."""

    def __init__(
        self,
        channels: Channels,
        confirming: Confirming,
        rules: Rules,
        watching: Watching,
        unsubscribing: Unsubscribing,
        store: ChannelStore,
        outbox: Outbox,
    ) -> None:
        self._channels = channels
        self._confirming = confirming
        self._rules = rules
        self._watching = watching
        self._unsubscribing = unsubscribing
        self._store = store
        self._outbox = outbox

    async def CreateChannel(self, request: pb.CreateChannelRequest, context: Context) -> pb.CreateChannelResponse:
        """Make a channel."""
        kind = kind_from_proto(request.kind)
        make = self._confirming.create if kind is ChannelKind.TELEGRAM else self._channels.create
        channel = await make(request.user_id, kind, request.name, request.target, request.maker)
        return pb.CreateChannelResponse(channel=channel_to_proto(channel), secret=secret_of(channel))

    async def ConfirmChannel(self, request: pb.ConfirmChannelRequest, context: Context) -> pb.ConfirmChannelResponse:
        """Take the code that was sent to a chat."""
        channel = await self._confirming.confirm(request.user_id, id_of("channel", request.id), request.code)
        return pb.ConfirmChannelResponse(channel=channel_to_proto(channel))

    async def ListChannels(self, request: pb.ListChannelsRequest, context: Context) -> pb.ListChannelsResponse:
        """Return a user's channels."""
        return pb.ListChannelsResponse(channels=map(channel_to_proto, await self._channels.list_of(request.user_id)))

    async def ChangeChannel(self, request: pb.ChangeChannelRequest, context: Context) -> pb.ChangeChannelResponse:
        """Change what is given."""
        changes = changes_from_proto(request)
        channel = await self._channels.change(request.user_id, id_of("channel", request.id), changes)
        return pb.ChangeChannelResponse(channel=channel_to_proto(channel))

    async def DeleteChannel(self, request: pb.DeleteChannelRequest, context: Context) -> pb.DeleteChannelResponse:
        """Forget a channel."""
        await self._channels.delete(request.user_id, id_of("channel", request.id))
        return pb.DeleteChannelResponse()

    async def RotateSecret(self, request: pb.RotateSecretRequest, context: Context) -> pb.RotateSecretResponse:
        """Give a webhook a fresh secret."""
        channel = await self._channels.rotate(request.user_id, id_of("channel", request.id), request.overlap_s)
        return pb.RotateSecretResponse(channel=channel_to_proto(channel), secret=secret_of(channel))

    async def TestChannel(self, request: pb.TestChannelRequest, context: Context) -> pb.TestChannelResponse:
        """Send a test on its way."""
        await self._channels.test(request.user_id, id_of("channel", request.id))
        return pb.TestChannelResponse()

    async def ListDeliveries(self, request: pb.ListDeliveriesRequest, context: Context) -> pb.ListDeliveriesResponse:
        """Return what went by a channel."""
        channel_id = id_of("channel", request.channel_id)
        found, page = await self._channels.history(request.user_id, channel_id, request.limit, request.page)
        return pb.ListDeliveriesResponse(deliveries=map(delivery_to_proto, found), next_page=page)

    async def Redeliver(self, request: pb.RedeliverRequest, context: Context) -> pb.RedeliverResponse:
        """Send a delivery on its way again."""
        await self._channels.send_again(
            request.user_id, id_of("channel", request.channel_id), id_of("delivery", request.id)
        )
        return pb.RedeliverResponse()

    async def CreateRule(self, request: pb.CreateRuleRequest, context: Context) -> pb.CreateRuleResponse:
        """Make a rule."""
        says = rule_from_proto(request.rule, request.rule.kind)
        rule = await self._rules.create(request.user_id, says, request.rule.maker)
        return pb.CreateRuleResponse(rule=rule_to_proto(rule))

    async def ListRules(self, request: pb.ListRulesRequest, context: Context) -> pb.ListRulesResponse:
        """Return a user's rules."""
        return pb.ListRulesResponse(rules=map(rule_to_proto, await self._rules.list_of(request.user_id)))

    async def ChangeRule(self, request: pb.ChangeRuleRequest, context: Context) -> pb.ChangeRuleResponse:
        """Change what is given."""

        def change(rule: Rule) -> NewRule:
            says = changed_rule(rule_to_proto(rule), request.rule, request.fields)
            return rule_from_proto(says, rule.says.kind)

        changed = await self._rules.change(request.user_id, id_of("rule", request.rule.id), change)
        return pb.ChangeRuleResponse(rule=rule_to_proto(changed))

    async def DeleteRule(self, request: pb.DeleteRuleRequest, context: Context) -> pb.DeleteRuleResponse:
        """Forget a rule."""
        await self._rules.delete(request.user_id, id_of("rule", request.id))
        return pb.DeleteRuleResponse()

    async def Unsubscribe(self, request: pb.UnsubscribeRequest, context: Context) -> pb.UnsubscribeResponse:
        """Stop mails."""
        await self._store.unsubscribe(self._unsubscribing.channel_of(request.token))
        return pb.UnsubscribeResponse()

    async def ListWatched(self, request: pb.ListWatchedRequest, context: Context) -> pb.ListWatchedResponse:
        """Return who has something, and who made it."""
        return watched_to_proto(await self._watching.watched(request.after, request.limit))

    async def PutPeople(self, request: pb.PutPeopleRequest, context: Context) -> pb.PutPeopleResponse:
        """Take what is known of people, and look at everything."""
        members = members_from_proto(request.organizations)
        watched = [watched_from_proto(message, members) for message in request.people]
        models, makers = models_from_proto(request.models), makers_from_proto(request)
        await self._watching.look(watched, models, request.gone_user_ids, makers, request.shut_user_ids)
        return pb.PutPeopleResponse()

    async def ListMails(self, request: pb.ListMailsRequest, context: Context) -> pb.ListMailsResponse:
        """Return the newest mails of the local outbox."""
        return pb.ListMailsResponse(mails=map(mail_to_proto, await self._outbox.newest(min(request.limit, 100))))
