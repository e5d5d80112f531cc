"""Where the surroundings fail: each end has its status, and with --json its errors are JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tomllib
from datetime import date
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from razvilka_cli import main, session
from razvilka_cli.program import Command, Program
from razvilka_cli.tests.scripted import Reply, scripted_server

FULL = Path("/dev/full")
OF_PROGRAM = (sys.executable, "-m", "razvilka_cli")
NOWHERE = ("--url", "http://127.0.0.1:9", "--key", "k")


@pytest.mark.parametrize(
    "words",
    [
        ("--json", "usage", "--top", "abc"),
        ("usage", "--nonsense", "--json"),
        ("--json", "nonsense"),
        ("--json", *NOWHERE, "usage", "--filter", "x"),
    ],
)
def test_a_command_that_cannot_be_meant_is_told_as_json_where_that_is_asked_for(words: tuple[str, ...]) -> None:
    """A program reads the error whatever it was."""
    result = CliRunner().invoke(main, words)

    error = json.loads(result.stderr)["error"]
    assert (result.exit_code, error["code"], error["exit_status"]) == (2, "usage", 2)


def test_an_interruption_is_told_as_json_where_that_is_asked_for() -> None:
    """It is one word for people."""

    @click.group(cls=Program)
    def program() -> None: ...

    @program.command(cls=Command)
    def wait() -> None:
        raise KeyboardInterrupt

    told, said = (CliRunner().invoke(program, words) for words in (["wait", "--json"], ["wait"]))

    assert json.loads(told.stderr)["error"]["exit_status"] == told.exit_code == 130
    assert said.stderr.strip() == "Interrupted."


@pytest.mark.skipif(not FULL.exists(), reason="no such device here")
@pytest.mark.parametrize("words", [("profiles", "list"), ("profiles", "list", "--json"), ("--help",)])
def test_a_full_disk_is_no_mistake_of_the_program(words: tuple[str, ...]) -> None:
    """What is written does not fit: 2, as for any file that cannot be written."""
    with FULL.open("w") as full:
        run = subprocess.run([*OF_PROGRAM, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert (run.returncode, run.stderr.count("\n")) == (2, 1), run.stderr
    assert "No space left on device" in run.stderr


def test_nobody_need_read_the_output() -> None:
    """A job whose standard output is closed."""
    command = ["sh", "-c", '"$0" "$@" >&-', *OF_PROGRAM, "profiles", "list"]

    run = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "value"),
    [("ALL_PROXY", "gopher://127.0.0.1:9"), ("SSL_CERT_FILE", "/nonexistent")],
)
def test_a_proxy_or_certificates_that_cannot_be_used_are_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """They are settings of whoever runs it, not a mistake of the program."""
    for each in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, value)

    result = CliRunner().invoke(main, ["--url", "https://llm.invalid", "--key", "k", "models"])

    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("Error: environment: ")


def test_without_a_home_nothing_is_kept_in_a_folder_called_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A container whose user nobody knows: a key would lie in whatever folder it was run in."""
    for name in ("HOME", "RAZVILKA_CLI_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(main, ["profiles", "set", "work", "--url", "https://llm.example.com"])

    assert (result.exit_code, list(tmp_path.iterdir())) == (2, []), result.output
    assert "RAZVILKA_CLI_HOME names a folder." in result.stderr


@pytest.mark.parametrize("url", ["https://me:secret@llm.example.com/?a=1", "me:secret@llm.example.com", "//m:secret@h"])
def test_a_password_in_an_address_is_not_told(url: str) -> None:
    """Errors go into the logs of whatever runs the program."""
    result = CliRunner().invoke(main, ["--url", url, "--key", "k", "models"])

    assert (result.exit_code, "secret" in result.output) == (2, False), result.output


def test_json_that_no_gateway_gives_is_not_its_answer() -> None:
    """Some other server's: not a mistake of the program."""
    with scripted_server(lambda _: lambda _method, _path: Reply(200, [1])) as server:
        result = CliRunner().invoke(main, ["--url", server.url, "--key", "k", "models"])

    assert (result.exit_code, "no_gateway" in result.stderr) == (4, True), result.output


@pytest.mark.parametrize(
    "command", [["models"], ["status"], ["usage"], ["requests", "list"], ["keys", "list"], ["requests", "show", "x"]]
)
@pytest.mark.parametrize("body", [{}, {"data": [{}]}])
def test_an_object_that_no_gateway_gives_is_not_its_answer(command: list[str], body: object) -> None:
    """Nor what lacks something at any depth."""
    with scripted_server(lambda _: lambda _method, _path: Reply(200, body)) as server:
        result = CliRunner().invoke(main, ["--url", server.url, "--key", "k", *command])

    assert (result.exit_code, "no_gateway" in result.stderr) == (4, True), result.output


def test_what_a_newer_program_keeps_in_a_profile_is_left_alone(home: Path) -> None:
    """Two of them are on many a machine; the older one refused the whole file."""
    home.mkdir()
    file = home / "config.toml"
    file.write_text(
        'default = "work"\n[profiles.work]\nurl = "https://llm.example.com"\nretries = 3\nstream = true\n'
        '"odd name" = ["a", "b"]\nsince = 2026-11-30\n[profiles.work.later]\ndeep = 1.5\n'
    )

    listed = CliRunner().invoke(main, ["--json", "profiles", "list"])
    changed = CliRunner().invoke(main, ["profiles", "set", "work", "--model", "gigachat-pro"])

    known = {"url": "https://llm.example.com", "model": "", "client_id": ""}
    assert json.loads(listed.output)["profiles"] == {"work": known}, listed.output
    assert changed.exit_code == 0, changed.output
    assert tomllib.loads(file.read_text())["profiles"]["work"] == {
        "url": "https://llm.example.com",
        "model": "gigachat-pro",
        "retries": 3,
        "stream": True,
        "odd name": ["a", "b"],
        "since": date(2026, 11, 30),
        "later": {"deep": 1.5},
    }


def test_a_report_may_be_counted_for_longer_than_other_answers_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was ordered all the same, and then once more by whoever tried again."""
    monkeypatch.setattr(session, "TIMEOUT_S", 0.2)

    def counted(_method: str, _path: str) -> Reply:
        time.sleep(1)
        return Reply(202, {"id": "1", "status": "failed", "error": "Too long."})

    with scripted_server(lambda _: counted) as server:
        result = CliRunner().invoke(main, ["--url", server.url, "--key", "k", "report"])

    assert (result.exit_code, result.stderr) == (6, "Error: report_failed: Too long.\n")
