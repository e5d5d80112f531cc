"""/console/playground: asked as the API is asked, billed once, and shown with its price."""

from __future__ import annotations

import ast
import asyncio
import json
import shlex
from html import unescape
from typing import Any

import httpx
import pytest
from razvilka.router.v1 import router_pb2 as pb
from razvilka.usage.v1 import usage_pb2
from structlog.testing import capture_logs

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.console.playground.question import FieldFault, Question, once_name
from services.gateway.console.playground.snippets import snippets_of
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.pages.browser import Form, browser, form_of, log_in, submit

PATH = "/console/playground"
SAME_ORIGIN = {"sec-fetch-site": "same-origin"}


async def form_in(client: httpx.AsyncClient) -> Form:
    """Return the form, filled in so that two models are asked."""
    await log_in(client)
    form = form_of(await client.get(PATH), PATH)
    form.fields |= {"message": "Привет", "model": "yandexgpt:latest"}
    form.fields.pop("stream")
    return form


async def rows_of(backends: Backends, count: int) -> list[usage_pb2.UsageRecord]:
    """Return the requests in the books, once there are so many."""
    async with asyncio.timeout(60), backends.usage.arrived:
        await backends.usage.arrived.wait_for(lambda: len(backends.usage.rows) >= count)
    return list(backends.usage.rows.values())


async def test_without_scripts_the_whole_answer_comes_with_its_price(edge: Edge, backends: Backends) -> None:
    """The figures are those of the bill, to the micro-rouble, and the request is one of the person's own."""
    async with browser(edge) as client:
        form = await form_in(client)
        page = await submit(client, form, temperature="0,5", max_tokens="50", system="Кратко")
        rows = await rows_of(backends, 1)

    [record] = rows
    [prompt] = backends.router.prompts
    assert page.status_code == 200
    assert 'class="answer">Привет!</pre>' in page.text
    assert f"{record.cost_micro_rub / 1e6:.6f}\u00a0₽".replace(".", ",") in page.text
    assert f'href="/console/requests/{record.request_id}"' in page.text
    assert record.user_id == backends.accounts.profile.user_id
    assert (prompt.temperature, prompt.max_tokens) == (0.5, 50)


async def test_a_form_that_is_sent_twice_is_paid_once(edge: Edge, backends: Backends) -> None:
    """A double click, a reload: the same answer. Another message in the same form is another question."""
    async with browser(edge) as client:
        form = await form_in(client)
        first, second = await asyncio.gather(submit(client, form), submit(client, form))
        other = await submit(client, form, message="Другое")
        rows = await rows_of(backends, 2)

    assert len(backends.router.prompts) == 2
    assert [page.status_code for page in (first, second, other)] == [200] * 3
    assert len({row.request_id for row in rows}) == 2


async def test_two_models_answer_side_by_side_and_each_is_billed(edge: Edge, backends: Backends) -> None:
    """One page, two requests in the books, and a line of the log for each: the complaint names one of these ids."""
    async with browser(edge) as client:
        form = await form_in(client)
        fields: Any = [*form.fields.items(), ("model", "gigachat-pro")]
        with capture_logs() as said:
            page = await client.post(
                PATH,
                content=str(httpx.QueryParams(fields)),
                headers={**SAME_ORIGIN, "content-type": "application/x-www-form-urlencoded"},
            )
        rows = await rows_of(backends, 2)

    assert page.text.count('<section class="told">') == 3  # and the one that scripts copy
    assert {row.model for row in rows} == {"yandexgpt:latest", "gigachat-pro"}
    lines = {each["request_id"]: each for each in said if each["event"] == "http.request" and "model" in each}
    assert lines.keys() == {row.request_id for row in rows}
    assert {each["route"] for each in lines.values()} == {"/v1/chat/completions"}
    assert all(lines[row.request_id]["cost_micro_rub"] == row.cost_micro_rub for row in rows)


async def test_a_stream_is_the_api_s_own(edge: Edge, backends: Backends) -> None:
    """Frames as the API writes them, with the usage at the end; the bill has the id that the header says."""
    async with browser(edge) as client:
        form = await form_in(client)
        form.action = f"{PATH}/stream"
        answer = await submit(client, form)
        figures = await client.get(f"{PATH}/figures", params={"id": answer.headers["x-request-id"]})
        rows = await rows_of(backends, 1)

    frames = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    [record] = rows
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "".join(choice["delta"].get("content", "") for frame in frames for choice in frame["choices"]) == "Привет!"
    assert frames[-1]["usage"]["cost_rub"] == f"{record.cost_micro_rub / 1e6:.6f}"
    assert answer.text.endswith("data: [DONE]\n\n")
    assert record.request_id == answer.headers["x-request-id"]
    assert f'href="/console/requests/{record.request_id}"' in figures.text


@pytest.mark.parametrize(("finish", "is_told"), [(pb.FINISH_REASON_LENGTH, True), (pb.FINISH_REASON_STOP, False)])
async def test_an_answer_that_was_cut_says_so(edge: Edge, backends: Backends, finish: Any, is_told: bool) -> None:
    """Whole or streamed, beside its price, as on the command line: half an answer looks like a whole one."""
    backends.router.finish = finish
    async with browser(edge) as client:
        form = await form_in(client)
        page = await submit(client, form)
        form.action = f"{PATH}/stream"
        answer = await submit(client, form)
        figures = await client.get(f"{PATH}/figures", params={"id": answer.headers["x-request-id"]})

    assert ['<dd class="code">length</dd>' in each.text for each in (page, figures)] == [is_told, is_told]


async def test_a_browser_that_goes_away_ends_the_stream_and_pays_for_what_it_saw(
    edge: Edge, backends: Backends
) -> None:
    """As every caller who leaves."""
    backends.router.hold = asyncio.Event()
    async with browser(edge) as client:
        form = await form_in(client)
        async with client.stream("POST", f"{PATH}/stream", data=form.fields, headers=SAME_ORIGIN) as answer:
            await anext(answer.aiter_lines())
        await asyncio.wait_for(backends.router.ended.wait(), 60)
        rows = await rows_of(backends, 1)

    [record] = rows
    assert backends.router.was_cancelled
    assert record.error_code == "client_left"


async def test_what_the_api_refuses_is_shown_with_its_code_and_a_hint(edge: Edge, backends: Backends) -> None:
    """Whole: on the page. As a stream: the API's own error."""
    backends.router.failure = Unavailable(ErrorReason.PROVIDER_UNAVAILABLE, "Nobody is there.")
    async with browser(edge) as client:
        form = await form_in(client)
        page = await submit(client, form)
        form.action = f"{PATH}/stream"
        stream = await submit(client, form)

    assert page.status_code == 200
    assert "provider_unavailable" in page.text
    assert "Nobody is there." in page.text
    assert "До провайдера не достучаться" in page.text
    assert (stream.status_code, stream.json()["error"]["code"]) == (503, "provider_unavailable")


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("message", " \n", "Напишите сообщение."),
        ("temperature", "жарко", "Это не число."),
        ("temperature", "nan", "Это не число."),
        ("max_tokens", "1e3", "Это не число."),
        ("max_tokens", "²", "Это не число."),
        ("tools", '[\n{"type": }]', "строку 2, столбец 10"),
        ("tools", "{}", "Это не список инструментов"),
        ("tools", "[" * 50_000, "Это не список инструментов"),
        ("tools", '["\\ud800"]', "Это не список инструментов"),
        ("tools", "[NaN]", "Это не список инструментов"),
        ("tools", "[1e999]", "Это не список инструментов"),
        ("tools", "[" * 500 + "]" * 500, "Это не список инструментов"),
        ("model", "", "Выберите модель."),
    ],
)
async def test_a_field_that_cannot_be_read_is_said_at_the_field(
    edge: Edge, backends: Backends, field: str, value: str, text: str
) -> None:
    """Nobody is asked, whole or streamed."""
    async with browser(edge) as client:
        form = await form_in(client)
        pages = [await submit(client, form, **{field: value})]
        form.action = f"{PATH}/stream"
        pages.append(await submit(client, form, **{field: value}))

    for page in pages:
        assert page.status_code == 400
        assert text in unescape(page.text)
        assert f'id="fault-{field}"' in page.text
    assert backends.router.prompts == []


async def test_nobody_asks_past_their_scopes_or_from_elsewhere(edge: Edge, backends: Backends) -> None:
    """A scope that the account lacks is refused by the API; a form of another site by the page."""
    backends.accounts.scopes = ["models:read"]
    async with browser(edge) as client:
        form = await form_in(client)
        refused = await submit(client, form)
        foreign = await client.post(f"{PATH}/stream", data=form.fields, headers={"sec-fetch-site": "cross-site"})
        forged = await submit(client, Form(f"{PATH}/stream", {**form.fields, "csrf": "x"}))
        client.cookies.clear()
        stranger = await client.get(f"{PATH}/figures?id=x")

    assert "insufficient_scope" in refused.text
    assert (foreign.status_code, forged.status_code) == (403, 403)
    assert stranger.headers["location"].startswith("/login")
    assert backends.router.prompts == []


async def test_the_page_runs_scripts_of_ours_only(edge: Edge) -> None:
    """The strict policy stays: scripts from files of this host, nothing inline."""
    async with browser(edge) as client:
        await log_in(client)
        page = await client.get(PATH)

    policy = set(page.headers["content-security-policy"].split("; "))
    assert {"script-src 'self'", "connect-src 'self'", "default-src 'none'"} <= policy
    assert "<script>" not in page.text
    assert " style=" not in page.text


def test_snippets_ask_what_was_asked() -> None:
    """Whatever was typed stays one argument of the shell and one value of the program."""
    hostile = 'It\'s "$(rm -rf /)" `x` \\ \n</script> \u2028 я'
    tools = '[{"type": "function", "function": {"name": "f", "strict": true, "parameters": {}}, "x": [null, "true"]}]'
    [body] = Question(("m'o",), hostile, hostile, "0,7", "9", tools).bodies()

    curl, python, javascript = snippets_of("http://127.0.0.1:8080", body)

    assert json.loads(shlex.split(curl.text.replace("\\\n", " "))[-1]) == body
    [call] = [
        node for node in ast.walk(ast.parse(python.text)) if isinstance(node, ast.Call) and len(node.keywords) > 3
    ]
    assert {each.arg: ast.literal_eval(each.value) for each in call.keywords} == body
    asked = javascript.text.split("create(", 1)[1].split(");\nconsole", 1)[0]
    assert json.loads(asked) == body


def test_a_question_is_named_by_all_that_is_asked() -> None:
    """Another place on the page or another body is another question; nothing of the form's own can break the name."""
    names = {
        once_name("a", 0, {"x": 1}),
        once_name("a", 1, {"x": 1}),
        once_name("a", 0, {"x": 2}),
        once_name("\n", 0, {}),
    }

    assert len(names) == 4
    assert all(name.isalnum() for name in names)
    with pytest.raises(FieldFault):
        Question((), "x").bodies()
