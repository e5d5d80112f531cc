"""What the toy model says: one deterministic answer per question, whatever the dialect."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from emulator.markers import NOTHING, Directions
from emulator.toy_model import tokenizer
from emulator.toy_model.language import is_english
from emulator.toy_model.text import Passage, dump, instance_of, json_text, measured, passage
from emulator.wire.faults import Fault

HIDDEN_REASONING_TOKENS: Final = 16
REFUSAL_TEXT: Final = "Об этом я говорить не стану. Давайте сменим тему."


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the caller offers."""

    name: str
    parameters: dict[str, Any]


@dataclass(slots=True)
class Ask:
    """A question, free of any dialect."""

    model: str
    prompt: str = ""  # text of the last user message
    prompt_tokens: int = 0
    prompt_chars: int = 0
    messages: int = 0
    max_tokens: int | None = None
    stream: bool = False
    tools: Sequence[Tool] = ()
    tool_choice: str = "auto"  # none | auto | required | the name of a function
    one_call: bool = False
    after_tool_result: bool = False
    json_mode: bool = False
    json_schema: dict[str, Any] | None = None
    reasoning: bool = False
    stops: Sequence[str] = ()
    file_ids: Sequence[str] = ()
    choices: int = 1  # how many answers
    sampling: dict[str, Any] = field(default_factory=dict)
    cached_tokens: int = 0
    directions: Directions = field(default_factory=lambda: NOTHING)


@dataclass(slots=True)
class Answer:
    """The answer with its chunk borders and counts, ready for a dialect to write down."""

    passage: Passage
    shown_tokens: int
    chunks: int
    finish: str  # stop | length | tool_calls | content_filter
    prompt_tokens: int
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    replaced_text: str | None = None
    fault: Fault | None = None

    @property
    def text(self) -> str:
        """Return the visible text."""
        return self.passage.text

    @property
    def completion_tokens(self) -> int:
        """Return what is billed as output: visible text, calls and hidden reasoning."""
        return self.shown_tokens + self.reasoning_tokens

    def borders(self) -> list[tuple[int, int]]:
        """Return for each chunk the character offset and the token count behind it."""
        tokens, chunks = self.passage.tokens, max(1, min(self.chunks, self.passage.tokens))
        if tokens == 0:
            return []
        counts = [tokens * number // chunks for number in range(1, chunks + 1)]
        borders = [(self.passage.end_of(count), count) for count in counts]
        borders[-1] = (len(self.text), tokens)
        return borders

    def withdrawn(self) -> list[str]:
        """Return what was said, growing word by word, before the filter struck; nothing when it did not."""
        if self.replaced_text is None or self.fault is None:
            return []
        words = self.replaced_text.split()[: self.fault.after()]
        return [" ".join(words[:number]) for number in range(1, len(words) + 1)]

    def has(self, fault: str) -> bool:
        """Tell whether this fault was asked for."""
        return self.fault is not None and self.fault.name == fault

    def strikes_at(self, fault: str) -> int | None:
        """Return behind which chunk the fault strikes, None when it was not asked for."""
        return self.fault.after() if self.fault is not None and self.fault.name == fault else None


def compose(ask: Ask, *, tokens_per_chunk: int, fault: Fault | None) -> Answer:
    """Answer the question; the same question always has the same answer."""
    seed = zlib.crc32(ask.prompt.encode())
    reasoning = HIDDEN_REASONING_TOKENS if ask.reasoning else 0
    if ask.max_tokens is not None:
        reasoning = min(reasoning, ask.max_tokens)
    room = None if ask.max_tokens is None else ask.max_tokens - reasoning
    calls = [] if fault is not None and fault.name == "content_filter" else _calls(ask, seed)
    said = _call_answer(ask, calls) if calls else None
    answer = said or _text_answer(ask, seed, room, tokens_per_chunk, fault)
    answer.reasoning_tokens = reasoning
    answer.cached_tokens = min(ask.directions.cached or ask.cached_tokens, ask.prompt_tokens)
    answer.fault = fault
    return answer


def _calls(ask: Ask, seed: int) -> list[tuple[str, dict[str, Any]]]:
    if not ask.tools or ask.after_tool_result or ask.tool_choice == "none":
        return []
    known = {tool.name: tool for tool in ask.tools}
    calls = [call for call in ask.directions.calls if call[0] in known]
    if not calls and ask.tool_choice == "auto":
        return []
    if not calls:
        tool = known.get(ask.tool_choice, ask.tools[0])
        calls = [(tool.name, instance_of(tool.parameters, seed) if tool.parameters else {})]
    return calls[:1] if ask.one_call else calls


def _call_answer(ask: Ask, calls: list[tuple[str, dict[str, Any]]]) -> Answer:
    tokens = sum(tokenizer.count(name) + tokenizer.count(dump(arguments)) for name, arguments in calls)
    return Answer(measured(""), tokens, 1, "tool_calls", ask.prompt_tokens, calls=calls)


def _text_answer(ask: Ask, seed: int, room: int | None, tokens_per_chunk: int, fault: Fault | None) -> Answer:
    if fault is not None and fault.name == "content_filter":
        refusal = measured(REFUSAL_TEXT)
        answer = Answer(refusal, refusal.tokens, 2, "content_filter", ask.prompt_tokens)
        answer.replaced_text = passage(seed, 12).text
        return answer
    said, finish = _said(ask, seed, room), "stop"
    if room is not None and said.tokens > room:
        said, finish = measured(tokenizer.clip(said.text, room)), "length"
    for stop in ask.stops:
        if stop in said.text:
            said, finish = measured(said.text[: said.text.index(stop)]), "stop"
    chunks = ask.directions.chunks or -(-said.tokens // tokens_per_chunk)
    return Answer(said, said.tokens, chunks, finish, ask.prompt_tokens)


def _said(ask: Ask, seed: int, room: int | None) -> Passage:
    directions = ask.directions
    if directions.text is not None:
        return measured(directions.text)
    if ask.json_mode or ask.json_schema is not None:
        return measured(json_text(ask.json_schema, seed))
    english = is_english(ask.prompt)
    tokens = directions.tokens
    if tokens is None and directions.chunks:
        tokens = directions.chunks * 2
    if tokens is None:
        return passage(seed, 24 + seed % 32, english=english, whole=True)
    # One more than there is room for, so that the answer is seen to be cut.
    return passage(seed, tokens if room is None else min(tokens, room + 1), english=english)
