"""Bodies that must be refused, each with the field that is at fault."""

from __future__ import annotations

from typing import Any

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
EMBED = "/v1/embeddings"
USER = {"role": "user", "content": "Привет"}
TOOL = {"type": "function", "function": {"name": "f"}}


def chat(**changes: Any) -> dict[str, Any]:
    """Return a chat body with changes."""
    return {"model": "yandexgpt", "messages": [USER], **changes}


def said(message: Any) -> dict[str, Any]:
    """Return a chat body with this as its second message."""
    return chat(messages=[USER, message])


WRONG: list[tuple[str, str, Any, str]] = [
    ("no body", CHAT, b"", "body"),
    ("not JSON", CHAT, b"hello", "body"),
    ("cut JSON", CHAT, b'{"model": "yandexgpt"', "body"),
    ("two values", CHAT, b'{"model":"m","messages":[]} {}', "body"),
    ("a list", CHAT, [], "body"),
    ("a text", CHAT, "hi", "body"),
    ("null", CHAT, None, "body"),
    ("a BOM", CHAT, b'\xef\xbb\xbf{"model":"yandexgpt"}', "body"),
    ("model missing", CHAT, {"messages": [USER]}, "model"),
    ("model empty", CHAT, chat(model=""), "model"),
    ("model a number", CHAT, chat(model=5), "model"),
    ("model null", CHAT, chat(model=None), "model"),
    ("model too long", CHAT, chat(model="m" * 300), "model"),
    ("messages missing", CHAT, {"model": "yandexgpt"}, "messages"),
    ("messages empty", CHAT, chat(messages=[]), "messages"),
    ("messages a text", CHAT, chat(messages="hi"), "messages"),
    ("messages too many", CHAT, chat(messages=[USER] * 1001), "messages"),
    ("message a text", CHAT, said("hi"), "messages[1]"),
    ("role missing", CHAT, said({"content": "hi"}), "messages[1].role"),
    ("role unknown", CHAT, said({"role": "king", "content": "hi"}), "messages[1].role"),
    ("content missing", CHAT, said({"role": "user"}), "messages[1].content"),
    ("content null", CHAT, said({"role": "user", "content": None}), "messages[1].content"),
    ("content a number", CHAT, said({"role": "user", "content": 5}), "messages[1].content"),
    ("content an object", CHAT, said({"role": "user", "content": {}}), "messages[1].content"),
    ("no parts", CHAT, said({"role": "user", "content": []}), "messages[1].content"),
    ("part a text", CHAT, said({"role": "user", "content": ["hi"]}), "messages[1].content[0]"),
    ("part of no type", CHAT, said({"role": "user", "content": [{"text": "hi"}]}), "messages[1].content[0].type"),
    ("part of a wrong type", CHAT, said({"role": "user", "content": [{"type": "x"}]}), "messages[1].content[0].type"),
    ("part without text", CHAT, said({"role": "user", "content": [{"type": "text"}]}), "messages[1].content[0].text"),
    (
        "part without picture",
        CHAT,
        said({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}]}),
        "messages[1].content[1].image_url",
    ),
    ("tool without id", CHAT, said({"role": "tool", "content": "1"}), "messages[1].tool_call_id"),
    ("function without name", CHAT, said({"role": "function", "content": "1"}), "messages[1].name"),
    ("assistant says nothing", CHAT, said({"role": "assistant"}), "messages[1].content"),
    (
        "a user calls a tool",
        CHAT,
        said({"role": "user", "content": "a", "tool_calls": [{"id": "1", "function": {"name": "f"}}]}),
        "messages[1].tool_calls",
    ),
    (
        "arguments an object",
        CHAT,
        said({"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {}}}]}),
        "messages[1].tool_calls[0].function.arguments",
    ),
    ("messages and prompt", CHAT, chat(prompt="hi"), "prompt"),
    ("prompt empty", CHAT, {"model": "yandexgpt", "prompt": ""}, "prompt"),
    ("prompt a number", CHAT, {"model": "yandexgpt", "prompt": 1}, "prompt"),
    ("temperature a text", CHAT, chat(temperature="hot"), "temperature"),
    ("temperature too high", CHAT, chat(temperature=2.1), "temperature"),
    ("temperature negative", CHAT, chat(temperature=-0.1), "temperature"),
    ("temperature NaN", CHAT, b'{"model":"m","messages":[],"temperature":NaN}', "temperature"),
    ("temperature infinite", CHAT, b'{"model":"m","messages":[],"temperature":-Infinity}', "temperature"),
    ("temperature huge", CHAT, b'{"model":"m","messages":[],"temperature":1e999}', "temperature"),
    ("temperature true", CHAT, chat(temperature=True), "temperature"),
    ("top_p too high", CHAT, chat(top_p=1.5), "top_p"),
    ("max_tokens zero", CHAT, chat(max_tokens=0), "max_tokens"),
    ("max_tokens a fraction", CHAT, chat(max_tokens=1.5), "max_tokens"),
    ("max_tokens a text", CHAT, chat(max_tokens="10"), "max_tokens"),
    ("max_tokens huge", CHAT, chat(max_tokens=10**30), "max_tokens"),
    ("max_completion_tokens negative", CHAT, chat(max_completion_tokens=-1), "max_completion_tokens"),
    ("n zero", CHAT, chat(n=0), "n"),
    ("n huge", CHAT, chat(n=1000), "n"),
    ("n true", CHAT, chat(n=True), "n"),
    ("stream a text", CHAT, chat(stream="yes"), "stream"),
    ("stream a number", CHAT, chat(stream=1), "stream"),
    ("stream_options alone", CHAT, chat(stream_options={"include_usage": True}), "stream_options"),
    (
        "include_usage a text",
        CHAT,
        chat(stream=True, stream_options={"include_usage": "y"}),
        "stream_options.include_usage",
    ),
    ("stop a number", CHAT, chat(stop=5), "stop"),
    ("five stops", CHAT, chat(stop=["a"] * 5), "stop"),
    ("stop of numbers", CHAT, chat(stop=[1]), "stop[0]"),
    ("tools an object", CHAT, chat(tools={}), "tools"),
    ("tool of a wrong type", CHAT, chat(tools=[{**TOOL, "type": "magic"}]), "tools[0].type"),
    ("tool without a function", CHAT, chat(tools=[{"type": "function"}]), "tools[0].function"),
    ("function without a name", CHAT, chat(tools=[{"type": "function", "function": {}}]), "tools[0].function.name"),
    (
        "function with a bad name",
        CHAT,
        chat(tools=[{"type": "function", "function": {"name": "a b"}}]),
        "tools[0].function.name",
    ),
    (
        "parameters a list",
        CHAT,
        chat(tools=[{"type": "function", "function": {"name": "f", "parameters": []}}]),
        "tools[0].function.parameters",
    ),
    ("tool_choice without tools", CHAT, chat(tool_choice="auto"), "tool_choice"),
    ("tool_choice unknown", CHAT, chat(tools=[TOOL], tool_choice="maybe"), "tool_choice"),
    (
        "tool_choice names nothing known",
        CHAT,
        chat(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "g"}}),
        "tool_choice.function.name",
    ),
    (
        "tool_choice of a custom tool that is not there",
        CHAT,
        chat(tools=[TOOL], tool_choice={"type": "custom", "custom": {"name": "g"}}),
        "tool_choice.custom.name",
    ),
    (
        "allowed tools that are not there",
        CHAT,
        chat(
            tools=[TOOL],
            tool_choice={
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "g"}}]},
            },
        ),
        "tool_choice.allowed_tools.tools[0]",
    ),
    ("a required choice among no tools", CHAT, chat(tools=[], tool_choice="required"), "tool_choice"),
    (
        "a custom call without what was called",
        CHAT,
        said({"role": "assistant", "tool_calls": [{"id": "1", "type": "custom"}]}),
        "messages[1].tool_calls[0].custom",
    ),
    (
        "a call without what was called",
        CHAT,
        said({"role": "assistant", "tool_calls": [{"id": "1", "type": "function"}]}),
        "messages[1].tool_calls[0].function",
    ),
    (
        "json_schema without a schema",
        CHAT,
        chat(response_format={"type": "json_schema", "json_schema": {"name": "n"}}),
        "response_format.json_schema.schema",
    ),
    ("require_parameters a text", CHAT, chat(provider={"require_parameters": "yes"}), "provider.require_parameters"),
    ("tools and functions", CHAT, chat(tools=[TOOL], functions=[{"name": "f"}]), "functions"),
    ("response_format a text", CHAT, chat(response_format="json"), "response_format"),
    ("response_format unknown", CHAT, chat(response_format={"type": "xml"}), "response_format.type"),
    ("json_schema missing", CHAT, chat(response_format={"type": "json_schema"}), "response_format.json_schema"),
    ("reasoning_effort unknown", CHAT, chat(reasoning_effort="a lot"), "reasoning_effort"),
    ("seed a text", CHAT, chat(seed="x"), "seed"),
    ("seed huge", CHAT, chat(seed=2**70), "seed"),
    ("user a number", CHAT, chat(user=1), "user"),
    ("logit_bias a list", CHAT, chat(logit_bias=[1]), "logit_bias"),
    ("logit_bias of no token", CHAT, chat(logit_bias={"1" * 65: 1}), "logit_bias"),
    ("logprobs a number", CHAT, chat(logprobs=2), "logprobs"),
    ("metadata nested", CHAT, chat(metadata={"a": {"b": 1}}), "metadata"),
    ("frequency_penalty too high", CHAT, chat(frequency_penalty=3), "frequency_penalty"),
    ("an embedding model", CHAT, chat(model="text-embeddings"), "model"),
    (
        "invalid UTF-8 in a message",
        CHAT,
        b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}',
        "messages[0].content",
    ),
    ("invalid UTF-8 in an unknown field", CHAT, b'{"model":"m","messages":[],"x":{"y":["\xc3"]}}', "x.y[0]"),
    (
        "half a surrogate pair",
        CHAT,
        b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
        "messages[0].content",
    ),
    ("NaN in a schema", CHAT, b'{"model":"m","messages":[],"tools":[{"a":NaN}]}', "tools[0].a"),
    ("model twice", CHAT, b'{"model":"a","model":"yandexgpt","messages":[{"role":"user","content":"a"}]}', "model"),
    (
        "role twice",
        CHAT,
        b'{"model":"yandexgpt","messages":[{"role":"user","role":"system","content":"a"}]}',
        "messages[0].role",
    ),
    (
        "model twice, once escaped",
        CHAT,
        b'{"mod\\u0065l":"a","model":"yandexgpt","messages":[{"role":"user","content":"a"}]}',
        "model",
    ),
    (
        "temperature twice",
        CHAT,
        b'{"model":"yandexgpt","messages":[{"role":"user","content":"a"}],"temperature":0,"temperature":1}',
        "temperature",
    ),
    (
        "a tool's name twice",
        CHAT,
        b'{"model":"yandexgpt","messages":[{"role":"user","content":"a"}],'
        b'"tools":[{"type":"function","function":{"name":"f","n\\u0061me":"g"}}]}',
        "tools[0].function.name",
    ),
    (
        "a part's text twice",
        CHAT,
        b'{"model":"yandexgpt","messages":[{"role":"user","content":[{"type":"text","text":"a","text":"b"}]}]}',
        "messages[0].content[0].text",
    ),
    (
        "a name twice behind a megabyte",
        CHAT,
        b'{"model":"yandexgpt","messages":[{"role":"user","content":"'
        + b'a\\"' * 400_000
        + b'"}],"stop":"a","st\\u006fp":"b"}',
        "stop",
    ),
    (
        "300,000 messages",
        CHAT,
        b'{"model":"yandexgpt","messages":['
        + b'{"role":"user","content":"a"},' * 299_999
        + b'{"role":"user","content":"a"}]}',
        "body",
    ),
    (
        "385,000 parts",
        CHAT,
        b'{"model":"yandexgpt","messages":[{"role":"user","content":['
        + b'{"type":"text","text":""},' * 384_999
        + b'{"type":"text","text":""}]}]}',
        "body",
    ),
    ("2,001 parts", CHAT, said({"role": "user", "content": [{"type": "text", "text": "a"}] * 2001}), "messages"),
    (
        "8 MB that end in NaN",
        CHAT,
        b'{"model":"m","messages":[],"x":[' + b'"a",' * 29_000 + b'"' + b"a" * 8_000_000 + b'",NaN]}',
        "body",
    ),
    ("millions of strings without a comma", CHAT, b'""' * 4_000_000, "body"),
    ("millions of opening brackets", CHAT, b"[" * 8_000_000, "body"),
    (
        "a number of ten thousand digits",
        CHAT,
        b'{"model":"yandexgpt","messages":[{"role":"user","content":"a"}],"x":' + b"1" * 10_000 + b"}",
        "body",
    ),
    ("half a surrogate in a name", CHAT, b'{"model":"m","messages":[],"\\ud800":1}', "?"),
    ("too deep", CHAT, b'{"model":"m","messages":[],"x":' + b"[" * 70 + b"]" * 70 + b"}", "body"),
    ("far too deep", CHAT, b'{"model":"m","x":' + b'{"a":' * 100_000, "body"),
    ("text: prompt missing", TEXT, {"model": "yandexgpt"}, "prompt"),
    ("text: prompt empty", TEXT, {"model": "yandexgpt", "prompt": ""}, "prompt"),
    ("text: no prompts", TEXT, {"model": "yandexgpt", "prompt": []}, "prompt"),
    ("text: one prompt empty", TEXT, {"model": "yandexgpt", "prompt": ["a", ""]}, "prompt[1]"),
    ("text: tokens", TEXT, {"model": "yandexgpt", "prompt": [1, 2]}, "prompt[0]"),
    ("text: lists of tokens", TEXT, {"model": "yandexgpt", "prompt": [[1, 2]]}, "prompt[0]"),
    ("text: suffix", TEXT, {"model": "yandexgpt", "prompt": "a", "suffix": "b"}, "suffix"),
    ("text: best_of", TEXT, {"model": "yandexgpt", "prompt": "a", "best_of": 3}, "best_of"),
    ("text: logprobs", TEXT, {"model": "yandexgpt", "prompt": "a", "logprobs": 9}, "logprobs"),
    ("embed: input missing", EMBED, {"model": "text-embeddings"}, "input"),
    ("embed: input empty", EMBED, {"model": "text-embeddings", "input": ""}, "input"),
    ("embed: no inputs", EMBED, {"model": "text-embeddings", "input": []}, "input"),
    ("embed: an object", EMBED, {"model": "text-embeddings", "input": {}}, "input"),
    ("embed: no tokens", EMBED, {"model": "text-embeddings", "input": [1, 2, -3]}, "input"),
    ("embed: an object inside", EMBED, {"model": "text-embeddings", "input": ["a", {}]}, "input[1]"),
    ("embed: too many", EMBED, {"model": "text-embeddings", "input": ["a"] * 2049}, "input"),
    ("embed: dimensions zero", EMBED, {"model": "text-embeddings", "input": "a", "dimensions": 0}, "dimensions"),
    ("embed: format", EMBED, {"model": "text-embeddings", "input": "a", "encoding_format": "hex"}, "encoding_format"),
    ("embed: a chat model", EMBED, {"model": "yandexgpt", "input": "a"}, "model"),
]
