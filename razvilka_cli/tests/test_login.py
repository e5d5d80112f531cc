"""What an authorization server may answer to a program that waits for a code to be entered."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from razvilka_cli.credentials import Login, find_credential, keep_credential
from razvilka_cli.errors import Failure
from razvilka_cli.gateway import Place
from razvilka_cli.login import Asked, log_in, renewed
from razvilka_cli.profiles import Profile
from razvilka_cli.tests.scripted import Answer, Reply, scripted_server

TOKENS = {"access_token": "a2", "refresh_token": "r2", "expires_in": 900, "scope": "models:read"}
DEVICE = {
    "device_code": "d", "user_code": "BCDF-GHJK", "verification_uri": "http://x/device",
    "verification_uri_complete": "http://x/device?user_code=BCDF-GHJK", "expires_in": 600, "interval": 5,
}  # fmt: skip
OVER = Login("razvilka-cli", "a1", "r1", 0.0, "models:read")


def answering(*token_answers: Reply, issuer: str = "") -> Callable[[str], Answer]:
    """Return a server that gives these to who asks for tokens, in their order."""
    left = list(token_answers)

    def answers_of(url: str) -> Answer:
        metadata = {
            "issuer": issuer or url,
            "device_authorization_endpoint": f"{url}/device_authorization",
            "token_endpoint": f"{url}/token",
            "revocation_endpoint": f"{url}/revoke",
        }
        fixed = {
            "/.well-known/oauth-authorization-server": Reply(200, metadata),
            "/device_authorization": Reply(200, DEVICE),
        }
        return lambda _method, path: fixed.get(path) or left.pop(0)

    return answers_of


def refused(error: str) -> Reply:
    return Reply(400, {"error": error, "error_description": "Because."})


def entered(url: str, waits: list[float], asked: list[Asked] | None = None) -> Login:
    """Log in at a server; the waiting is noted and not done."""
    told = [] if asked is None else asked
    return log_in(Place(url, "", Profile(url), False), ("models:read",), told.append, waits.append)


def test_it_waits_as_long_as_it_is_told_and_longer_when_it_was_too_fast() -> None:
    """RFC 8628 3.5: five seconds more from then on."""
    waits: list[float] = []
    asked: list[Asked] = []
    pending, slow = refused("authorization_pending"), refused("slow_down")

    with scripted_server(answering(pending, slow, pending, Reply(200, TOKENS))) as server:
        login = entered(server.url, waits, asked)

    assert waits == [5.0, 10.0, 10.0]
    assert asked == [Asked("http://x/device", "http://x/device?user_code=BCDF-GHJK", "BCDF-GHJK")]
    assert (login.access_token, login.refresh_token) == ("a2", "r2")
    assert server.forms[1] == ("/device_authorization", {"client_id": ["razvilka-cli"], "scope": ["models:read"]})


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (refused("expired_token"), "expired_token: Nobody entered the code in time. Run `razvilka login` again."),
        (refused("access_denied"), "access_denied: The login was refused in the browser."),
        (refused("invalid_client"), "invalid_client: Because."),
        (Reply(502, "<html>Bad gateway</html>"), "no_gateway: .* answered 502"),
        (Reply(200, "[]"), "no_gateway:"),
        (Reply(200, {"access_token": "a"}), "no_gateway:"),
    ],
)
def test_what_ends_it_is_told(answer: Reply, says: str) -> None:
    """Also by what is no gateway."""
    with scripted_server(answering(answer)) as server, pytest.raises(Failure) as failed:
        entered(server.url, [])

    assert re.match(says, failed.value.format_message()), failed.value.format_message()


def test_a_server_that_names_another_address_gets_nothing() -> None:
    """A code entered there would let somebody else in."""
    with scripted_server(answering(issuer="https://llm.example.com")) as server, pytest.raises(Failure) as failed:
        entered(server.url, [])

    assert "Use --url https://llm.example.com." in failed.value.format_message()
    assert [path for path, _ in server.forms] == ["/.well-known/oauth-authorization-server"]


def test_runs_side_by_side_use_a_refresh_token_once() -> None:
    """A second use would end the login."""
    found: list[Login] = []

    with scripted_server(answering(Reply(200, TOKENS))) as server:
        keep_credential(server.url, OVER)
        runs = [threading.Thread(target=lambda: found.append(renewed(server.url, OVER))) for _ in range(4)]
        for run in runs:
            run.start()
        for run in runs:
            run.join()

    assert [login.access_token for login in found] == ["a2"] * 4
    assert [path for path, _ in server.forms].count("/token") == 1


def test_a_login_that_is_over_is_forgotten() -> None:
    """And the next run asks for a new one at once."""
    with scripted_server(answering(refused("invalid_grant"))) as server:
        keep_credential(server.url, OVER)
        with pytest.raises(Failure, match=r"The login is over"):
            renewed(server.url, OVER)

        assert find_credential(server.url) is None


def test_a_server_that_is_down_ends_no_login() -> None:
    """It may be back in a minute."""
    with scripted_server(
        answering(Reply(503, {"error": {"code": "service_unavailable", "message": "Later."}}))
    ) as server:
        keep_credential(server.url, OVER)
        with pytest.raises(Failure, match=r"Later"):
            renewed(server.url, OVER)

        assert find_credential(server.url) == OVER


def test_tokens_say_nothing_of_themselves() -> None:
    """Nobody finds them in a log."""
    login: Any = Login("razvilka-cli", "secret-a", "secret-r", time.time(), "models:read")

    assert "secret" not in repr(login)
