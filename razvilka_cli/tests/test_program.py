"""How the program ends, and what it prints of what others wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from razvilka_cli import main
from razvilka_cli.output import harmless, show_facts, show_table, shown
from razvilka_cli.program import Command, Program
from razvilka_cli.tests.scripted import Answer, Reply, scripted_server

EVENTS = {"content-type": "text/event-stream"}


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "Interrupted."),
        (click.Abort(), 130, "Interrupted."),
        (BrokenPipeError(), 141, ""),
        (ZeroDivisionError("by\nzero"), 70, "Error: internal: ZeroDivisionError: by zero RAZVILKA_CLI_DEBUG=1"),
        (click.UsageError("no"), 2, "Error: no"),
    ],
)
def test_every_end_has_its_status_and_no_traceback(raised: BaseException, status: int, said: str) -> None:
    """Scripts tell them apart."""

    @click.group(cls=Program)
    def program() -> None: ...

    @program.command(cls=Command)
    def fail() -> None:
        raise raised

    result = CliRunner().invoke(program, ["fail"])

    assert result.exit_code == status, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_a_mistake_of_the_program_can_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """By whoever asks for it."""
    monkeypatch.setenv("RAZVILKA_CLI_DEBUG", "1")

    @click.group(cls=Program)
    def program() -> None: ...

    @program.command(cls=Command)
    def fail() -> None:
        raise ZeroDivisionError

    assert isinstance(CliRunner().invoke(program, ["fail"]).exception, ZeroDivisionError)


def answers_with(reply: Reply) -> Answer:
    return lambda _method, _path: reply


def asked_of(reply: Reply) -> Result:
    """Ask a gateway that answers so."""
    with scripted_server(lambda _: answers_with(reply)) as server:
        return CliRunner().invoke(main, ["--url", server.url, "--key", "k", "chat", "?"])


def ended_by(**error: Any) -> Reply:
    """Return a stream that an error ends."""
    return Reply(
        200, f"event: error\ndata: {json.dumps({'error': {'code': 'x', 'message': 'No.', **error}})}\n\n", EVENTS
    )


def refused_by(status: int, **error: Any) -> Reply:
    """Return the same error before anything was sent."""
    return Reply(status, {"error": {"code": "x", "message": "No.", **error}})


@pytest.mark.parametrize(
    ("http_status", "type", "status"),
    [
        (400, "invalid_request_error", 4),
        (403, "permission_error", 3),
        (429, "rate_limit_error", 5),
        (429, "insufficient_quota", 5),
        (503, "server_error", 6),
    ],
)
def test_a_refusal_ends_with_the_same_status_early_and_late(http_status: int, type: str, status: int) -> None:
    """A provider that takes more than a second to refuse does so in the stream, whose headers have left."""
    early, late = (asked_of(reply) for reply in (refused_by(http_status, type=type), ended_by(type=type)))

    assert (early.exit_code, late.exit_code) == (status, status)
    assert early.stderr == late.stderr


def test_a_refusal_says_when_to_try_again_early_and_late() -> None:
    """The header has left before the stream breaks off."""
    early = Reply(503, {"error": {"code": "x", "message": "No.", "type": "server_error"}}, {"retry-after": "7"})
    late = ended_by(type="server_error", details={"retry_after": "7"})

    said = [asked_of(reply).stderr for reply in (early, late)]

    assert "Try again in 7 s." in said[0]
    assert said[0] == said[1]


@pytest.mark.parametrize(("cost", "said"), [("0.002800", "No. What came cost 0.002800 ₽."), ("0.000000", "No.")])
def test_an_answer_that_breaks_off_says_what_it_cost(cost: str, said: str) -> None:
    """What came before is billed; nothing is said of nothing."""
    result = asked_of(ended_by(details={"cost_rub": cost}))

    assert (result.exit_code, result.stderr.strip().endswith(said)) == (6, True), result.stderr


@pytest.mark.parametrize(
    ("reply", "status", "said"),
    [
        (Reply(502, "<html>"), 6, "answered 502, and not as a gateway does. Is --url right?"),
        (Reply(200, "<html>"), 4, "no_gateway:"),
        (Reply(404, {"detail": "Not Found"}), 4, "no_gateway:"),
        (Reply(429, {"error": {"code": "rate_limit_exceeded", "message": "a\x1b[31m\nb"}}, {"retry-after": "7"}), 5,
         "Error: rate_limit_exceeded: a [31m b Try again in 7 s."),
        (Reply(200, 'data: {"choices": [{"delta": {"content": "Пол"}}]}\n\n', EVENTS), 6, "broken_stream:"),
        (Reply(200, 'data: {"error": {"code": "lost", "message": "Gone."}}\n\n', EVENTS), 6, "lost: Gone."),
        (Reply(200, "data: nonsense\n\n", EVENTS), 6, "broken_stream:"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_told_in_one_line(reply: Reply, status: int, said: str) -> None:
    """Whoever it is that answers."""
    with scripted_server(lambda _: answers_with(reply)) as server:
        result = CliRunner().invoke(main, ["--url", server.url, "--key", "k", "chat", "?"])
        as_json = CliRunner().invoke(main, ["--json", "--url", server.url, "--key", "k", "models"])

    assert (result.exit_code, said in result.stderr) == (status, True), result.output
    assert result.stderr.count("\n") == 1
    if reply.status != 200:
        assert json.loads(as_json.stderr)["error"]["exit_status"] == status


def test_an_answer_may_hold_whatever_unicode_takes_for_a_line_end() -> None:
    """JSON does not: the event goes on behind it."""
    said = "Раз\u2028два\u2029три\x85четыре"
    events = "".join(
        f"data: {json.dumps(event, ensure_ascii=False)}\n\n"
        for event in ({"choices": [{"delta": {"content": said}}]}, {"choices": [], "usage": {"prompt_tokens": 1}})
    )
    reply = Reply(200, events + "data: [DONE]\n\n", EVENTS)

    with scripted_server(lambda _: answers_with(reply)) as server:
        result = CliRunner().invoke(main, ["--url", server.url, "--key", "k", "chat", "?"])

    assert (result.exit_code, result.stdout) == (0, said + "\n"), result.output


def test_an_argument_of_another_encoding_is_no_mistake_of_the_program() -> None:
    """A shell that writes KOI8-R, say: Python keeps such letters as halves of others."""
    asked = "Привет".encode("koi8-r").decode("utf-8", "surrogateescape")

    with scripted_server(lambda _: answers_with(Reply(500, {}))) as server:
        result = CliRunner().invoke(main, ["--url", server.url, "--key", "k", "chat", asked])

    assert (result.exit_code, result.stderr.strip()) == (
        2,
        "Error: bad_input: An argument is no UTF-8 text. Convert it first.",
    )


def test_a_row_is_one_line_however_long_where_no_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    """What is piped into another program is not folded in the middle of a value."""
    show_table(("name", "value"), [("tags", "значение " * 200)])
    show_facts([("tags", "значение " * 200)])

    assert capsys.readouterr().out.count("значение " * 199) == 2


def test_nothing_that_others_wrote_commands_the_terminal() -> None:
    """Neither colours nor cursors nor right-to-left tricks."""
    assert harmless("a\x1b]0;title\x07b\x9bc\u202ed\n\te") == "a]0;titlebcd\n\te"
    assert shown("[bold]x[/]\ny") == "[bold]x[/] y"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_their_completion(shell: str) -> None:
    """And complete commands by it."""
    script = CliRunner().invoke(main, ["completion", shell]).stdout
    asked = {"_RAZVILKA_COMPLETE": "bash_complete", "COMP_WORDS": "razvilka bud", "COMP_CWORD": "1"}

    assert "_RAZVILKA_COMPLETE" in script
    assert CliRunner().invoke(main, [], env=asked, prog_name="razvilka").stdout == "plain,budgets\n"


def test_profiles_are_made_listed_chosen_and_deleted() -> None:
    """A new one is asked without being named when it is the only one."""
    runner = CliRunner()

    runner.invoke(main, ["profiles", "set", "work", "--url", "https://llm.example.com/v1/", "--model", 'a"b\x7f'])
    runner.invoke(main, ["profiles", "set", "home", "--url", "http://[::1]:8080", "--default"])
    listed = json.loads(runner.invoke(main, ["profiles", "list", "--json"]).stdout)
    runner.invoke(main, ["profiles", "delete", "home"])

    assert listed["default"] == "home"
    assert listed["profiles"]["work"] == {"url": "https://llm.example.com", "model": 'a"b\x7f', "client_id": ""}
    assert "home" not in runner.invoke(main, ["profiles", "list"]).stdout


def test_help_imports_nothing_that_takes_long() -> None:
    """It is what people ask for first."""
    slow = "{'httpx', 'rich', 'pydantic', 'grpc', 'keyring', 'tomllib', 'asyncio'}"
    program = f"import sys, razvilka_cli; print(sorted({slow} & set(sys.modules)))"

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"
