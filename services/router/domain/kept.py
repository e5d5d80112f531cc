"""Partial results of a request that takes several provider calls, kept when one of the calls fails."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from services.router.domain.completion import Answer, Usage, Vectors


class Kept(Struct):
    """Results of single calls by the index of the choice or text; none of them is requested again.

    The provider bills them. So they are used when the rest is tried again, and told when the request fails; and since
    they are of one model, no other model may take over.
    """

    answers: dict[int, Answer] = field(default_factory=dict)
    vectors: dict[int, Vectors] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.answers or self.vectors)

    def used(self) -> Iterator[tuple[int, ...]]:
        """Yield what each call has used: prompt, completion, cached and reasoning tokens.

        Of a call whose usage the provider did not say: one number, the characters of its answer.
        """
        for answer in self.answers.values():
            yield _figures(answer.usage) or (_chars(answer),)
        for vectors in self.vectors.values():
            yield _figures(vectors.usage) or (0,)


def _figures(usage: Usage | None) -> tuple[int, ...] | None:
    if usage is None:
        return None
    return usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens


def _chars(answer: Answer) -> int:
    return sum(
        len(choice.content or "")
        + len(choice.reasoning_content)
        + sum(len(call.name) + len(call.arguments) for call in choice.tool_calls)
        for choice in answer.choices
    )
