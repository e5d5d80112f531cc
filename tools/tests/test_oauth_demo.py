"""`make oauth-demo` tells the whole story, and says so when it cannot."""

import threading

import httpx
import pytest

from tools.accounts.demo import REDIRECT_URI
from tools.oauth_demo.__main__ import main, played
from tools.oauth_demo.callback import CallbackServer
from tools.oauth_demo.story import DemoFailed, Story
from tools.servers.ports import free_port


def test_the_story_is_told_to_its_end_without_secrets(stack):
    """Nine steps; no token, code or password is printed whole."""
    said: list[str] = []
    redirects: list[str] = []

    def visit(url: str) -> str:
        redirects.append(played(stack.demo)(url))
        return redirects[-1]

    Story(stack.demo, visit, said.append).tell()

    text = "\n".join(said)
    assert [line for line in said if line.startswith("\n9. ")]
    assert "refused after" in text
    assert '{"active": false}' in text
    assert httpx.URL(redirects[0]).params["code"] not in text
    assert stack.demo.demo_password not in text
    assert stack.demo.confidential_client_secret not in text


def test_a_redirect_from_somebody_else_ends_the_story(stack):
    """The mix-up that iss and state are for."""
    with pytest.raises(DemoFailed, match="somebody else"):
        Story(
            stack.demo, lambda _url: f"{REDIRECT_URI}?code=x&state=y&iss=https://evil.example", list[str]().append
        ).tell()


def test_without_a_suite_it_says_what_to_do(tmp_path, monkeypatch, capsys):
    """One line, no traceback."""
    monkeypatch.setenv("RAZVILKA_HOME", str(tmp_path))

    assert main([]) == 1

    assert "make up starts it" in capsys.readouterr().err


def test_the_callback_waits_for_its_own_path():
    """A browser asks for a favicon, too."""
    port = free_port()
    came = []
    with CallbackServer(f"http://127.0.0.1:{port}/callback") as server:
        waiting = threading.Thread(target=lambda: came.append(server.wait()))
        waiting.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
            client.get("/favicon.ico")
            client.get("/callback?code=a&state=b")
        waiting.join(60)

    assert came == [f"http://127.0.0.1:{port}/callback?code=a&state=b"]
