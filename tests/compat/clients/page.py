"""The page that a run of the client libraries writes: each library's row as soon as the library has run."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

STEPS: Final = (
    *("chat", "stream", "tools", "structured", "embeddings", "models", "wrong_key", "unknown_model", "too_long"),
    *("cancel", "rate_limit"),
)
HEAD: Final = """\
# Client libraries

Written by `make test-clients`: each library in an environment of its own, in the version that the package index had on
the day of its row, against the suite on one machine, whose providers are the emulator. `ok`: it works as the library's
documentation has it, with a base URL and a key; `-`: the library has no such thing, or it is not tried; a number
points at what does not work. `make test-clients ARGS="-k 'crewai or dspy'"` runs some of them and renews their rows.

"""
TAIL: Final = """\

`(responses)` and `(messages)`: over `POST /v1/responses` and `POST /v1/messages`; all others ask
`POST /v1/chat/completions`.

What the columns try:

- tools: the model asks for a function, the library calls it, the model answers from its result.
- structured: an answer that the library turns into a typed object.
- wrong key, unknown model: the library's own error for 401 and 404.
- too long: 40,000 words for a window of 32,768 tokens; LangChain, LiteLLM, DSPy and CrewAI raise the class by which
  they trim or turn to another model, Codex and Claude Code say that the conversation is to be shortened.
- cancel: a stream that is let go frees its place among the five of a free key, so that nothing is made that nobody
  reads. LlamaIndex, `llm` and smolagents have no way to close a stream: there the place is free when Python has
  collected what held the connection (`gc.collect()`); AutoGen's is closed with its client. Mem0 has no streams.
- rate limit: the library's error for 429 at the 21st request in a minute of a free key. `llm`, Mem0, Mirascope and
  Magentic leave the `openai` client its retries: they wait as `Retry-After` says and answer after all.

Claude Code's tool `Workflow` is larger than GigaChat takes of one (4,096 tokens): there it works with those that one
names, `claude --tools "Bash,Read,Edit,Write,Glob,Grep"`, and is tried so; YandexGPT takes all of them.

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
    """The package, its version, `(npm)` of one for JavaScript, and the API that it asks unless it is chat."""
    outcome: Mapping[str, str]
    reasons: Mapping[str, str] = field(default_factory=dict)
    day: str = ""

    @property
    def library(self) -> str:
        """The name without the version: what a later run of the same library has too."""
        package, _version, *rest = self.name.split(" ")
        return " ".join([package, *rest])


def renewed(text: str, tried: Tried, order: Sequence[str]) -> str:
    """Return the page with the library's row put in or replaced; only the libraries in `order` keep their rows."""
    rows = {each.library: each for each in [*rows_of(text), tried]}
    return page(rows[library] for library in order if library in rows)


def page(tried: Iterable[Tried]) -> str:
    """Return the text of docs/clients.md."""
    return HEAD + "\n".join(_rows(tried)) + "\n" + TAIL


def rows_of(text: str) -> Iterator[Tried]:
    """Read the rows of a page; one without its day is of an older form and is left out."""
    notes: dict[str, str] = dict(re.findall(r"^(\d+)\. \S.*?: (.*)$", text, re.MULTILINE))
    for line in text.splitlines():
        name, *cells = line.strip("| ").split(" | ")
        if len(cells) == len(STEPS) + 1 and name != "library":
            yield Tried(name, dict(_read_cells(cells, notes)), day=cells[-1])


def _read_cells(cells: Sequence[str], notes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for step, cell in zip(STEPS, cells, strict=False):
        if cell != "-":
            yield step, notes.get(cell.strip("[]"), "")


def _rows(tried: Iterable[Tried]) -> Iterator[str]:
    notes: list[str] = []
    yield f"| library | {' | '.join(step.replace('_', ' ') for step in STEPS)} | tried on |"
    yield f"|---|{'---|' * (len(STEPS) + 1)}"
    for each in tried:
        yield f"| {each.name} | {' | '.join(_cell(each, step, notes) for step in STEPS)} | {each.day} |"
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
