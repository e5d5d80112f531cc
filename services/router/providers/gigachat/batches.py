"""Deferred calls at half the price: those that arrive within a moment become one GigaChat batch."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec
import structlog
from yarl import URL

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from servicekit.lifecycle import Background
from services.router.domain.completion import Answer, Prompt
from services.router.providers import failures
from services.router.providers.provider import DeferredCalls, ProviderCall
from services.router.providers.reading import Replies, check
from services.router.providers.transport.authorized import AuthorizedHttp
from services.router.providers.transport.http import Reply

log = structlog.get_logger()

# Lines of one batch at most.
MOST_LINES: Final = 100
LONGER: Final = 1.5
LONGEST: Final = 15.0
# Results of so many batches are remembered for lines that ask later.
REMEMBERED: Final = 16
# Looks for results that are there and do not come. They are billed: to have lines asked anew is the last thing to do.
MOST_LOOKS: Final = 30
# GigaChat answers a batch within a day. One that it does not, or that is asked for with a key that was taken away,
# would be looked for as long as the process lives.
LOOKED_FOR_S: Final = 26 * 3600.0
_COMPLETED: Final = "completed"
_GONE: Final = 404
T = TypeVar("T")
Results = Mapping[str, "_Result"]


class _Error(msgspec.Struct, gc=False):
    status: int = 500
    message: str = ""


class _Result(msgspec.Struct, gc=False):
    id: str
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None


class _Batch(msgspec.Struct, gc=False):
    id: str = ""
    status: str = ""
    output_file_id: str | None = None


class _Listed(msgspec.Struct, gc=False):
    batches: list[_Batch] = []


_decode_batch: Final = msgspec.json.Decoder(_Batch).decode
_decode_listed: Final = msgspec.json.Decoder(_Listed).decode
_decode_result: Final = msgspec.json.Decoder(_Result).decode


@dataclass(slots=True)
class _Gathering:
    """Lines that wait to be submitted together, and the batch that they become."""

    submitted: asyncio.Future[str]
    lines: dict[str, bytes] = field(default_factory=dict)
    is_full: asyncio.Event = field(default_factory=asyncio.Event)


class Batches:
    """Deferred calls through `POST /batches`.

    Args:
        batches_url: where batches are taken and looked for.
        files_url: where their results lie.
        gather_s: how long a first line waits for others.
        poll_s: until the first look for an answer.
        tasks: own what goes on when whoever asked has left.
    """

    def __init__(
        self,
        batches_url: URL,
        files_url: URL,
        http: AuthorizedHttp,
        kept: DeferredCalls,
        replies: Replies,
        clock: Clock,
        tasks: Background,
        *,
        gather_s: float,
        poll_s: float,
    ) -> None:
        self._batches_url = batches_url
        self._files_url = files_url
        self._http = http
        self._kept = kept
        self._replies = replies
        self._clock = clock
        self._tasks = tasks
        self._gather_s = gather_s
        self._poll_s = poll_s
        self._gathering: _Gathering | None = None
        self._results: OrderedDict[str, asyncio.Future[Results]] = OrderedDict()

    async def answer(self, body: bytes, headers: Mapping[str, str], prompt: Prompt, call: ProviderCall) -> Answer:
        """Return the whole answer, of a batch before this call if it was in one.

        Raises:
            ServiceError: it was refused, or has failed; asked again, it is submitted anew.
        """
        name = call.deferral
        batch_id = await self._kept.find(name) or await self._submitted(name, body, headers)
        try:
            found = (await _shared(self._read(batch_id, headers))).get(name)
            answer, call.fingerprint = self._replies.whole_answer(self._reply(found), prompt)
        except ServiceError:
            # It has failed, or is gone: nothing was billed for it.
            await self._kept.forget(name)
            raise
        return answer

    def _reply(self, found: _Result | None) -> bytes:
        if found is None:
            raise failures.broken("The provider has lost the call.")
        if found.error is not None:
            raise self._replies.error_of(found.error.status, {}, msgspec.json.encode(found.error))
        return bytes(found.result)

    async def _submitted(self, name: str, body: bytes, headers: Mapping[str, str]) -> str:
        """Put the call among those that are gathered; return the batch that they become."""
        gathering = self._gathering
        if gathering is None:
            gathering = self._gathering = _Gathering(_future())
            self._tasks.start(self._submit(gathering, headers), name="gigachat.batch")
        gathering.lines[name] = body
        if len(gathering.lines) >= MOST_LINES:
            self._gathering = None
            gathering.is_full.set()
        # Whoever leaves is in the batch all the same, and finds it when it comes back.
        return await _shared(gathering.submitted)

    async def _submit(self, gathering: _Gathering, headers: Mapping[str, str]) -> None:
        try:
            async with asyncio.timeout(self._gather_s):
                await gathering.is_full.wait()
        except TimeoutError:
            # Unless it was full in the same moment, and others have begun the next one.
            self._gathering = None if self._gathering is gathering else self._gathering
        try:
            gathering.submitted.set_result(await self._post(gathering.lines, headers))
        except ServiceError as exc:
            gathering.submitted.set_exception(exc)
        except BaseException:
            gathering.submitted.cancel()
            raise

    async def _post(self, lines: Mapping[str, bytes], headers: Mapping[str, str]) -> str:
        body = b"\n".join(b'{"id":%b,"request":%b}' % (msgspec.json.encode(name), one) for name, one in lines.items())
        url = self._batches_url.with_query(method="chat_completions")
        of_lines = {**headers, "Content-Type": "application/octet-stream"}
        reply = await self._http.post(url, lambda: body, of_lines)
        check(self._replies, reply)
        batch_id: str = _decoded(_decode_batch, reply.body).id
        for name in lines:
            await self._kept.keep(name, batch_id)
        return batch_id

    def _read(self, batch_id: str, headers: Mapping[str, str]) -> asyncio.Future[Results]:
        """Return the results of a batch, looked for once by all of its lines."""
        found = self._results.get(batch_id)
        if found is None:
            while len(self._results) >= REMEMBERED:
                self._results.popitem(last=False)
            found = self._results[batch_id] = _future()
            self._tasks.start(self._look(batch_id, headers, found), name="gigachat.batch_results")
        return found

    async def _look(self, batch_id: str, headers: Mapping[str, str], found: asyncio.Future[Results]) -> None:
        try:
            file_id = await self._done(batch_id, headers)
            content = await self._content(file_id, headers)
            results = [_decoded(_decode_result, line) for line in content.splitlines() if line.strip()]
            found.set_result({each.id: each for each in results})
        except ServiceError as exc:
            self._results.pop(batch_id, None)
            found.set_exception(exc)
        except BaseException:
            self._results.pop(batch_id, None)
            found.cancel()
            raise

    async def _done(self, batch_id: str, headers: Mapping[str, str]) -> str:
        """Return the file of results, when there is one.

        Raises:
            ProviderFailed: there is none any more, or not in time.
        """
        pauses, give_up_at = self._pauses(), self._clock.monotonic() + LOOKED_FOR_S
        while (file_id := await self._output_of(batch_id, headers)) is None:
            if self._clock.monotonic() >= give_up_at:
                raise failures.broken("The provider has not answered the batch in time.")
            await self._clock.sleep(next(pauses))
        return file_id

    async def _content(self, file_id: str, headers: Mapping[str, str]) -> bytes:
        """Return the results.

        Raises:
            ProviderFailed: they are gone, or do not come.
        """
        for pause_s in islice(self._pauses(), MOST_LOOKS):
            reply = await self._seen(self._files_url / file_id / "content", headers)
            if reply is not None and reply.status != _GONE:
                return reply.body
            if reply is not None:
                break
            await self._clock.sleep(pause_s)
        raise failures.broken("The provider has lost the results of the batch.")

    def _pauses(self) -> Iterator[float]:
        pause_s = self._poll_s
        while True:
            yield pause_s
            pause_s = min(self._poll_s * LONGEST, pause_s * LONGER)

    async def _output_of(self, batch_id: str, headers: Mapping[str, str]) -> str | None:
        """Return the file of results, None when there is none yet, or it cannot be seen just now."""
        reply = await self._seen(self._batches_url.with_query(batch_id=batch_id), headers)
        if reply is None:
            return None
        batches = [] if reply.status == _GONE else _decoded(_decode_listed, reply.body).batches
        if not batches:
            raise failures.broken("The provider has lost the batch.")
        return batches[0].output_file_id if batches[0].status == _COMPLETED else None

    async def _seen(self, url: URL, headers: Mapping[str, str]) -> Reply | None:
        """Return what lies at an address, or that nothing does; None: it cannot be seen just now."""
        try:
            reply = await self._http.get(url, headers)
            if reply.status != _GONE:
                check(self._replies, reply)
        except ServiceError as exc:
            log.warning("gigachat.batch_unseen", reason=exc.reason.value)
            return None
        return reply


def _future() -> asyncio.Future[Any]:
    made = asyncio.get_running_loop().create_future()
    # Nobody may wait; an unread failure must not be reported as lost.
    made.add_done_callback(lambda done: done.cancelled() or done.exception())
    return made


async def _shared(result: asyncio.Future[T]) -> T:
    """Return what several wait for; each of them is told a failure of its own."""
    try:
        return await asyncio.shield(result)
    except ServiceError as exc:
        raise exc.anew() from exc


def _decoded(decode: Any, raw: bytes) -> Any:
    try:
        return decode(raw)
    except failures.UNREADABLE as exc:
        raise failures.broken("The provider's batch could not be read.") from exc
