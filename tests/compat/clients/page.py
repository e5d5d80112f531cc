"""The page that a run of the client libraries writes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

STEPS: Final = (
    *("chat", "stream", "tools", "structured", "embeddings", "models", "wrong_key", "unknown_model", "too_long"),
    *("cancel", "rate_limit"),
)
HEAD: Final = """\
# Client libraries

Written by `make test-clients`: each library in an environment of its own, in the version that the package index had on
the day of the run, against the suite on one machine, whose providers are the emulator. `ok`: it works as the library's
documentation has it, with a base URL and a key; `-`: the library has no such thing, or it is not tried; a number
points at what does not work.

"""
TAIL: Final = """\

What the columns try:

- tools: the model asks for a function, the library calls it, the model answers from its result.
- structured: an answer that the library turns into a typed object.
- wrong key, unknown model: the library's own error for 401 and 404.
- too long: 40,000 words for a window of 32,768 tokens; LangChain, LiteLLM, DSPy and CrewAI raise the class by which
  they trim or turn to another model.
- cancel: a stream that is let go frees its place among the five of a free key, so that nothing is made that nobody
  reads. LlamaIndex, `llm` and smolagents have no way to close a stream: there the place is free when Python has
  collected what held the connection (`gc.collect()`); AutoGen's is closed with its client.
- rate limit: the library's error for 429 at the 21st request in a minute of a free key. `llm`, Mem0, Mirascope and
  Magentic leave the `openai` client its retries: they wait as `Retry-After` says and answer after all.

langchain-gigachat is pointed at us by `GigaChat(base_url="…/v1", access_token="<our key>")`; where it needs tools,
structured output or embeddings, ChatOpenAI and OpenAIEmbeddings have them.

Not part of the run: Open WebUI, whose environment weighs 6.9 GB. Version 0.12.4 was tried once by hand, headless, with
`OPENAI_API_BASE_URLS` and `OPENAI_API_KEYS`: models, chat, stream, a tool call, embeddings and the check of a wrong key
work.
"""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a library: an empty text or a problem for each step, and why some cannot work."""

    name: str
    outcome: Mapping[str, str]
    reasons: Mapping[str, str]


def page(tried: Iterable[Tried]) -> str:
    """Return the text of docs/clients.md."""
    return HEAD + "\n".join(_rows(tried)) + "\n" + TAIL


def _rows(tried: Iterable[Tried]) -> Iterator[str]:
    notes: list[str] = []
    yield f"| library | {' | '.join(step.replace('_', ' ') for step in STEPS)} |"
    yield f"|---|{'---|' * len(STEPS)}"
    for each in tried:
        yield f"| {each.name} | {' | '.join(_cell(each, step, notes) for step in STEPS)} |"
    if notes:
        yield ""
    yield from (f"{number}. {note}" for number, note in enumerate(notes, 1))


def _cell(each: Tried, step: str, notes: list[str]) -> str:
    if step not in each.outcome:
        return "-"
    problem = each.outcome[step]
    if not problem:
        return "ok"
    note = each.reasons.get(step) or " ".join(problem.split())
    text = f"{each.name}: {note}"
    if text not in notes:
        notes.append(text)
    return f"[{notes.index(text) + 1}]"
