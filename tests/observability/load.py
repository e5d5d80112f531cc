"""A little of everything that a suite does, so that every series of ordinary work exists."""

from __future__ import annotations

import secrets
from typing import Any, Final

import httpx

from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person
from tools.stack.running_stack import RunningStack

MODELS: Final = ("yandexgpt", "yandexgpt-lite", "gigachat")


def ask(
    stack: RunningStack,
    model: str = "yandexgpt",
    *,
    stream: bool = False,
    key: str = "",
    content: str = "",
    **more: Any,
) -> httpx.Response:
    """Ask for a chat completion and return the whole answer; `more` are further parameters."""
    messages = [{"role": "user", "content": content or f"Привет {secrets.token_hex(4)}"}]
    body = {"model": model, "stream": stream, "messages": messages, **more}
    headers = {"authorization": f"Bearer {key or stack.api_key}"}
    return httpx.post(f"{stack.url}/v1/chat/completions", json=body, headers=headers, timeout=60, trust_env=False)


def do_a_little_of_everything(stack: RunningStack) -> None:
    """Ask models well and wrongly, let an application have access and lose it again, log in well and wrongly."""
    for model in MODELS:
        for stream in (True, False):
            assert ask(stack, model, stream=stream).status_code == httpx.codes.OK
    assert ask(stack, "no-such-model").status_code == httpx.codes.NOT_FOUND
    assert ask(stack, key="rz_live_nobody").status_code == httpx.codes.UNAUTHORIZED
    revoked = stack.issue_key()
    assert ask(stack, key=revoked).status_code == httpx.codes.OK
    stack.revoke_key(revoked)
    _give_and_take_access(House(stack))


def _give_and_take_access(house: House) -> None:
    person, application = house.new_person(), house.public()
    with house.browser(person) as browser:
        first = application.tokens(browser, person)
        second = application.refresh(first["refresh_token"]).json()
    headers = {"authorization": f"Bearer {second['access_token']}"}
    assert house.http.get("/v1/models", headers=headers).status_code == httpx.codes.OK
    application.refresh(second["refresh_token"])
    # A refresh token whose successor was used: whoever has it, the grant is over for all.
    assert application.refresh(first["refresh_token"]).status_code == httpx.codes.BAD_REQUEST
    log_in_wrongly(house, person)


def log_in_wrongly(house: House, person: Person) -> None:
    """Try a password that is none."""
    with house.browser() as browser:
        browser.log_in(Person(person.user_id, person.email, "not the password"))
