"""The whole suite, as `make up` starts it."""

import time

import httpx

from tools.accounts.demo import read_env_file
from tools.servers import ports
from tools.stack.__main__ import main
from tools.stack.down import bring_down
from tools.stack.home import Home
from tools.stack.running_stack import RunningStack
from tools.stack.supervision.leftovers import leftovers
from tools.stack.up import bring_up

PROGRAMS = ("postgres", "redis", "emulator", "auth", "router", "usage", "gateway")


def ask(stack: RunningStack, model: str) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "Привет!"}]}
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    return httpx.post(f"{stack.url}/v1/chat/completions", json=body, headers=headers, timeout=30, trust_env=False)


def test_the_printed_key_gets_an_answer_and_a_usage_row(stack):
    """One request through everything: both providers, and the row that bills it."""
    answers = [ask(stack, model) for model in ("yandexgpt:latest", "gigachat-pro", "toy-large")]

    assert [answer.status_code for answer in answers] == [200, 200, 200], [answer.text for answer in answers]
    ids = [answer.headers["x-request-id"] for answer in answers]
    give_up_at = time.monotonic() + 60
    while len(stack.query("SELECT id FROM usage.usage WHERE id::text = ANY($1)", ids)) < len(ids):
        assert time.monotonic() < give_up_at
        time.sleep(0.1)


def test_the_demo_file_is_private_and_complete(stack):
    """Whoever reads it can call the API as the demo user."""
    file = stack.parts.home.demo_env

    lines = read_env_file(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert lines["RAZVILKA_URL"] == stack.url
    assert lines["RAZVILKA_API_KEY"] == stack.api_key
    assert lines["RAZVILKA_ADMIN_KEY"] == stack.admin_key


def test_starting_again_keeps_processes_and_keys(stack):
    """The second `make up` restarts nothing and makes no second account."""
    before = {name: stack.pid(name) for name in PROGRAMS}

    demo = bring_up(stack.parts, lambda _step: None)

    assert {name: stack.pid(name) for name in PROGRAMS} == before
    assert demo == stack.demo


def test_a_killed_service_comes_back_by_itself(stack):
    """The supervisor restarts it, the gateway finds it again."""
    stack.kill("router")

    give_up_at = time.monotonic() + 60
    while ask(stack, "gigachat-pro").status_code != 200:
        assert time.monotonic() < give_up_at
        time.sleep(0.1)


def test_secrets_are_in_no_command_line_and_no_shared_file(stack):
    """Other users of the machine see processes and the supervisor's configuration."""
    secrets = [*stack.parts.secrets.values(), stack.api_key]
    readable = [
        file.read_text(errors="replace")
        for file in stack.parts.home.root.rglob("*")
        if file.is_file() and file.stat().st_mode & 0o044 and not file.is_relative_to(stack.parts.home.postgres)
    ]
    commands = [" ".join(program.command) for program in stack.parts.programs]

    for text in (*readable, *commands):
        assert not any(secret in text for secret in secrets)


def test_a_second_suite_with_a_taken_port_says_so_and_starts_nothing(stack, tmp_path, monkeypatch, capsys):
    """The person learns which port, who holds it and what to type instead."""
    port = stack.url.rpartition(":")[2]
    monkeypatch.setenv("RAZVILKA_HOME", str(tmp_path / "second"))
    monkeypatch.setenv("RAZVILKA_PORT", port)

    code = main(["up"])

    said = capsys.readouterr().err
    assert code == 1
    assert said.startswith(f"error: port {port} is in use by ")
    assert said.count("\n") == 1
    assert leftovers(Home(tmp_path / "second")) == []


def test_a_wrong_setting_is_named_and_down_cleans_up(servers_folder, monkeypatch, capsys):
    """A service that refuses its settings ends the start with the variable's name."""
    home = Home(servers_folder / "wrong")
    monkeypatch.setenv("RAZVILKA_HOME", str(home.root))
    monkeypatch.setenv("RAZVILKA_PORT", str(ports.free_port()))
    monkeypatch.setenv("USAGE_GRPC_GRACE_S", "soon")

    code = main(["up"])
    bring_down(home)

    assert code == 1
    assert "usage does not start: USAGE_GRPC_GRACE_S" in capsys.readouterr().err
    assert leftovers(home) == []
