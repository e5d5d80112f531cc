"""Reads replies of any provider: whole answers, streams, embeddings. `Replies` interpret the bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Protocol, TypeVar

from servicekit.errors import ServiceError
from services.router.domain.completion import Answer, Batch, Delta, Prompt, Vectors
from services.router.providers import failures
from services.router.providers.answer_stream import AnswerStream
from services.router.providers.provider import ProviderCall
from services.router.providers.transport.credentials import without_credential
from services.router.providers.transport.http import OpenReply, Reply

T = TypeVar("T")


class Frames(Protocol):
    """Splits a body into frames, however the network cut it."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the frames that `chunk` completes."""
        ...

    def finish(self) -> list[bytes]:
        """Return the frame that the end of the body completes."""
        ...


class Replies(Protocol):
    """Interprets the replies of one vendor. Methods raise ServiceError for errors in them, or invalid ones."""

    def error_of(self, status: int, headers: Mapping[str, str], body: bytes) -> ServiceError:
        """Return the error of a reply that is not 200; the body may be anything."""
        ...

    def whole_answer(self, body: bytes, prompt: Prompt) -> tuple[Answer, str]:
        """Return the answer to `prompt` and the model's build."""
        ...

    def comes_whole(self, headers: Mapping[str, str], first: bytes) -> bool:
        """Tell whether a reply that was asked for as a stream is none; `first` is what came first of its body."""
        ...

    def frames(self, line_bytes: int) -> Frames:
        """Return what cuts a stream into frames; a line of more than `line_bytes` is refused."""
        ...

    def answer_stream(self, prompt: Prompt) -> AnswerStream:
        """Return what makes an answer to `prompt` of the frames."""
        ...

    def vectors(self, body: bytes) -> Vectors:
        """Return the embeddings, in the order of the texts."""
        ...


def read_whole(replies: Replies, reply: Reply, prompt: Prompt, call: ProviderCall) -> Answer:
    """Return the answer of a reply.

    Raises:
        ServiceError: it is none.
    """
    check(replies, reply)
    with _unrepeated(reply):
        answer, call.fingerprint = replies.whole_answer(reply.body, prompt)
    return answer


@contextmanager
def _unrepeated(reply: Reply | OpenReply) -> Iterator[None]:
    """Keep our credential out of what a failure says: some servers tell which one they were sent."""
    try:
        yield
    except ServiceError as exc:
        exc.message = without_credential(exc.message, reply.authorization)
        exc.param = exc.param and without_credential(exc.param, reply.authorization)
        exc.args = (exc.message,)
        raise


def check(replies: Replies, reply: Reply) -> None:
    """Do nothing for a reply that is 200.

    Raises:
        ServiceError: what any other means.
    """
    if not reply.ok:
        with _unrepeated(reply):
            raise replies.error_of(reply.status, reply.headers, reply.body)


def read_vectors(replies: Replies, reply: Reply, wanted: int) -> Vectors:
    """Return the `wanted` vectors of a reply.

    Raises:
        ServiceError: it has none, or another number.
    """
    try:
        check(replies, reply)
    except ServiceError as exc:
        # What is too long here is a text: there are no messages.
        exc.param = "input" if exc.param == "messages" else exc.param
        raise
    made = replies.vectors(reply.body)
    if len(made.values) != wanted:
        raise failures.broken("The provider made another number of vectors than asked for.")
    return made


def read_count(replies: Replies, reply: Reply, decode: Callable[[bytes], T]) -> T:
    """Return what a tokenizer said.

    Raises:
        ServiceError: it did not count.
    """
    check(replies, reply)
    try:
        return decode(reply.body)
    except failures.UNREADABLE as exc:
        raise failures.broken("The provider's count of tokens could not be read.") from exc


async def read_stream(
    replies: Replies, opened: Callable[[], Awaitable[OpenReply]], prompt: Prompt, call: ProviderCall
) -> AsyncGenerator[Batch, None]:
    """Yield the batches of the answer that `opened` begins, to its end; its connection is given up on leaving.

    Raises:
        ServiceError: there is no reply, it is an error, or the answer broke off.
    """
    with closing(await opened()) as reply, _unrepeated(reply):
        if not reply.ok:
            raise replies.error_of(reply.status, reply.headers, await reply.error_body())
        first = chunk = await reply.read()
        if replies.comes_whole(reply.headers, first):
            answer, call.fingerprint = replies.whole_answer(first + await reply.body(), prompt)
            yield as_batch(answer)
            return
        frames, stream = replies.frames(reply.line_bytes), replies.answer_stream(prompt)
        while not stream.done:
            events = frames.feed(chunk) if chunk else []
            if any(events):
                # Also by those that say nothing to the caller: an upstream that is at work is not silent.
                reply.progressed()
            batch = stream.feed(events) if chunk else _rest(stream, frames)
            if batch is not None:
                call.fingerprint = stream.fingerprint
                yield batch
            if stream.failure is not None:
                raise stream.failure
            if not chunk:
                break
            if not stream.done:
                chunk = await reply.read()
        if not stream.is_whole:
            raise failures.broken("The provider's answer broke off.")
        await reply.linger()


def _rest(stream: AnswerStream, frames: Frames) -> Batch | None:
    """Return what the end of the body completes: torn, it takes nothing from an answer that has said how it ended."""
    was_whole = stream.is_whole
    try:
        return stream.feed(frames.finish())
    except ServiceError:
        if was_whole:
            return None
        raise


def as_batch(answer: Answer) -> Batch:
    """Return a whole answer as the only batch of a stream."""
    deltas = [
        Delta(choice.index, choice.content or "", choice.reasoning_content, choice.tool_calls, choice.finish_reason)
        for choice in answer.choices
    ]
    return Batch(deltas, answer.usage)
