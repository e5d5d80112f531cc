"""How large a request is, whatever the model: everything that a provider reads and bills, measured once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw

from services.gateway.inference.size.text_size import TextSize, size_of
from services.gateway.inference.size.written_out import Schemas
from services.gateway.schemas.inference import ChatMessage, ChatRequest, ToolCall

# What a dialect puts around a tool, a call, a result or a schema: names of fields, brackets, quotes.
ENVELOPE_TOKENS: Final = 64

_encode: Final = msgspec.json.Encoder().encode


class PromptSize(msgspec.Struct, frozen=True):
    """Everything that goes in, and how much was asked to come out.

    Attributes:
        text: of all prompts together: messages, tools, schema; a file's bytes count as text too.
        messages: of all prompts.
        envelopes: the most tokens around tools, calls, results and schema.
        images: of all prompts.
        prompts: asked by itself, and billed by itself, each.
        choices: answers of all prompts; 0: nothing comes out.
        max_tokens: of one choice; 0: not said.
        schemas: of tools and of the answer, which some providers' adapters write out.
        thinks_back: what earlier answers thought is in the text, which not every provider reads.
        shows_all: what the caller gets is all that the provider makes: nothing is cut off or thought in hiding.
    """

    text: TextSize
    messages: int = 0
    envelopes: int = 0
    images: int = 0
    prompts: int = 1
    choices: int = 1
    max_tokens: int = 0
    shows_all: bool = False
    schemas: Schemas = msgspec.field(default_factory=Schemas)
    thinks_back: bool = False

    @property
    def lesson(self) -> tuple[int, str]:
        """Return the most tokens that the text can be, and the script most of it is in: what a router learns from.

        (0, "") of what teaches nothing: several prompts, what is no text, and what may not be read.
        """
        script = self.text.main_script
        if self.prompts > 1 or self.images or self.thinks_back or script is None:
            return 0, ""
        return self.text.token_bound, script


class _PartHead(msgspec.Struct, gc=False):
    type: str
    text: str | None = None


_part_head: Final = msgspec.json.Decoder(_PartHead).decode


def chat_size(request: ChatRequest) -> PromptSize:
    """Return the size of one chat, checked and in the new form: `tools` where the caller wrote `functions`."""
    return chats_size((request,))


def chats_size(requests: Sequence[ChatRequest]) -> PromptSize:
    """Return the size of several chats with the same parameters: a list of prompts."""
    first = requests[0]
    measure = _Measure()
    for request in requests:
        measure.add_messages(request.messages or ())
        measure.add_form(request)
    choices = (first.n or 1) * len(requests)
    return PromptSize(
        size_of("".join(measure.texts).encode("utf-8", "replace") + b"".join(measure.forms)),
        measure.messages,
        measure.envelopes * ENVELOPE_TOKENS,
        measure.images,
        len(requests),
        choices,
        first.max_completion_tokens or first.max_tokens or 0,
        choices == 1 and not first.stop and first.reasoning_effort in (None, "none"),
        Schemas(measure.schemas),
        measure.thinks_back,
    )


def embedding_size(inputs: Sequence[str]) -> PromptSize:
    """Return the size of texts that become vectors: each counts as a message, nothing comes out."""
    return PromptSize(size_of("".join(inputs).encode()), len(inputs), prompts=len(inputs), choices=0)


class _Measure:
    """Gathers what the parts of requests weigh."""

    def __init__(self) -> None:
        # Measured as one: sizes of texts add up.
        self.texts: list[str] = []
        self.forms: list[bytes] = []
        self.schemas: list[dict[str, Any]] = []
        self.messages = self.envelopes = self.images = 0
        self.thinks_back = False

    def add_messages(self, messages: Sequence[ChatMessage]) -> None:
        """Measure messages: content, name, thoughts, calls."""
        self.messages += len(messages)
        for message in messages:
            content = message.content
            if message.role in ("tool", "function"):
                self._result(content)
            elif type(content) is str:
                self.texts.append(content)
            elif isinstance(content, list):
                for part in content:
                    self._part(part)
            if message.name:
                self.texts.append(message.name)
            if message.reasoning_content:
                self.texts.append(message.reasoning_content)
                self.thinks_back = True
            for call in message.tool_calls or ():
                self._call(call)

    def add_form(self, request: ChatRequest) -> None:
        """Measure what goes with every request: tools, the schema of the answer, a predicted answer."""
        for tool in request.functions_offered:
            function = tool.function
            self._schema(function.parameters)
            for own in (function.few_shot_examples, function.return_parameters):
                if own is not None:
                    self._form(own)
            self.texts += (function.name, function.description or "")
        if request.response_format is not None:
            wanted = request.response_format.json_schema
            self._schema(wanted.schema if wanted is not None else None)
            self.texts.append(wanted.name if wanted is not None else "")
        if request.prediction is not None:
            self._form(request.prediction)

    def _schema(self, schema: dict[str, Any] | None) -> None:
        self._form(schema)
        if schema:
            self.schemas.append(schema)

    def _form(self, form: dict[str, Any] | list[dict[str, Any]] | None) -> None:
        self.envelopes += 1
        if form:
            self.forms.append(_encode(form))

    def _part(self, raw: Raw) -> None:
        head = _part_head(raw)
        if head.type == "image_url":
            self.images += 1
        elif head.type == "text":
            self.texts.append(head.text or "")
        else:
            self.forms.append(bytes(raw))

    def _result(self, content: str | list[Raw] | None) -> None:
        # A dialect may want it as JSON, with a name of up to 64 signs: its own escapes count.
        self.envelopes += 2
        self.forms.append(_encode(content))

    def _call(self, call: ToolCall) -> None:
        self.envelopes += 1
        self.texts += (call.function.name, call.function.arguments)
