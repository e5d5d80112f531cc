"""`python -m tools.oauth_demo [--browser]`: play the person too, or wait for yours at a real browser."""

import os
import sys
from dataclasses import dataclass

import httpx
from authlib.common.errors import AuthlibBaseError

from tools.accounts.demo import REDIRECT_URI, Demo, demo_from, read_env_file
from tools.browser.browser import Browser, LostError
from tools.oauth_demo.callback import CallbackServer
from tools.oauth_demo.story import DemoFailed, Story, Visit
from tools.stack.home import home_of


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Who logs in."""

    email: str
    password: str


def played(demo: Demo) -> Visit:
    """Return a visit in which the demo person does everything by itself."""

    def visit(url: str) -> str:
        with Browser(demo.url, language="ru") as browser:
            person = DemoPerson(demo.demo_email, demo.demo_password)
            return browser.walk(browser.get(url), person, budget="500", budget_period="month")

    return visit


def waited_for(demo: Demo) -> Visit:
    """Return a visit in which somebody opens the address in a browser of theirs."""

    def visit(url: str) -> str:
        print(f"   open this address and log in as {demo.demo_email}, {demo.demo_password}:\n   {url}")
        with CallbackServer(REDIRECT_URI) as server:
            return server.wait()

    return visit


def main(arguments: list[str]) -> int:
    """Tell the story and return the exit code."""
    home = home_of(os.environ)
    demo = demo_from(read_env_file(home.demo_env))
    if not demo.demo_email:
        print("error: the suite does not run here: make up starts it", file=sys.stderr)
        return 1
    visit = waited_for(demo) if "--browser" in arguments else played(demo)
    try:
        Story(demo, visit, print).tell()
    except (DemoFailed, LostError, AuthlibBaseError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; Python must not complain about it again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (httpx.HTTPError, OSError) as exc:
        print(f"error: {exc} (does the suite run? make status)", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
