"""Deferred calls at half the price: submitted, remembered, and polled until they are done."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec
import structlog
from yarl import URL

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.router.domain.completion import Answer, Prompt
from services.router.providers import failures
from services.router.providers.provider import DeferredCalls, ProviderCall
from services.router.providers.reading import Replies, check
from services.router.providers.transport.authorized import AuthorizedHttp
from services.router.providers.transport.http import Reply
from services.router.slots.line import SlotLine

log = structlog.get_logger()

# From one look to the next, longer and longer: results are read 50 times a second at most, by all together.
LONGER: Final = 1.5
LONGEST: Final = 15.0
_GONE: Final = 404


class _Operation(msgspec.Struct, gc=False):
    id: str = ""
    done: bool = False
    response: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")


_decode: Final = msgspec.json.Decoder(_Operation).decode


class Operations:
    """Deferred calls through `completionAsync`.

    Args:
        submit_url: where calls are taken.
        operations_url: under which they are looked for by their ids.
        poll_s: until the first look.
        line: in which submissions wait for the provider's quota; None: there is none.
    """

    def __init__(
        self,
        submit_url: URL,
        operations_url: URL,
        http: AuthorizedHttp,
        kept: DeferredCalls,
        replies: Replies,
        clock: Clock,
        *,
        poll_s: float,
        line: SlotLine | None,
    ) -> None:
        self._submit_url = submit_url
        self._operations_url = operations_url
        self._http = http
        self._kept = kept
        self._replies = replies
        self._clock = clock
        self._poll_s = poll_s
        self._line = line

    async def answer(self, body: bytes, headers: Mapping[str, str], prompt: Prompt, call: ProviderCall) -> Answer:
        """Return the whole answer, of a submission before this one if there was one.

        Raises:
            ServiceError: it was refused, or has failed; asked again, it is submitted anew.
        """
        operation = await self._kept.find(call.deferral)
        if operation is None:
            operation = await self._submitted(body, headers, call)
        try:
            done = await self._done(operation, headers)
            answer, call.fingerprint = self._replies.whole_answer(_as_reply(done), prompt)
        except ServiceError:
            # It has failed, or is gone: nothing was billed for it.
            await self._kept.forget(call.deferral)
            raise
        return answer

    async def _submitted(self, body: bytes, headers: Mapping[str, str], call: ProviderCall) -> str:
        if self._line is not None:
            slot = await self._line.take(call.asker, call.deadline)
            call.queued_s = slot.queued_s
        submission = asyncio.ensure_future(self._submit(body, headers, call))
        try:
            return await asyncio.shield(submission)
        except asyncio.CancelledError:
            # Who asked has died: what the provider has taken is remembered all the same, or it would be asked twice.
            await asyncio.wait({submission})
            raise

    async def _submit(self, body: bytes, headers: Mapping[str, str], call: ProviderCall) -> str:
        operation = self._operation(await self._http.post(self._submit_url, lambda: body, headers, call)).id
        await self._kept.keep(call.deferral, operation)
        return operation

    async def _done(self, operation: str, headers: Mapping[str, str]) -> _Operation:
        """Look until it is done; the deadline of the whole request ends this too.

        Raises:
            ProviderFailed: it is gone.
        """
        pause_s = self._poll_s
        while (found := await self._look(operation, headers)) is None or not found.done:
            await self._clock.sleep(pause_s)
            pause_s = min(self._poll_s * LONGEST, pause_s * LONGER)
        return found

    async def _look(self, operation: str, headers: Mapping[str, str]) -> _Operation | None:
        """Return the operation, None when it cannot be seen just now: it goes on, and is paid for, all the same."""
        try:
            reply = await self._http.get(self._operations_url / operation, headers)
            found = None if reply.status == _GONE else self._operation(reply)
        except ServiceError as exc:
            log.warning("yandexgpt.operation_unseen", reason=exc.reason.value)
            return None
        if found is None:
            raise failures.broken("The provider has lost the call.")
        return found

    def _operation(self, reply: Reply) -> _Operation:
        check(self._replies, reply)
        try:
            return _decode(reply.body)
        except failures.UNREADABLE as exc:
            raise failures.broken("The provider's operation could not be read.") from exc


def _as_reply(done: _Operation) -> bytes:
    """Return what a call that is answered at once would have been answered."""
    if bytes(done.error) != b"null":
        return b'{"error":' + bytes(done.error) + b"}"
    return b'{"result":' + bytes(done.response) + b"}"
