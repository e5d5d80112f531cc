"""docs/api/oauth.md says what is true: its examples run, its tables agree with the suite."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.documents import code_blocks, environment, run
from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person
from tools.browser.browser import Browser
from tools.settings_catalog import SETTINGS, variables_of
from tools.stack.home import REPOSITORY

DOCUMENT = REPOSITORY / "docs" / "api" / "oauth.md"
STATE = "state.sh"
# Variables that bash itself keeps read-only cannot be set again.
KEEP = f"declare -p | grep -vE '^declare -[a-zA-Z]*r' >{STATE}\n"
LIMIT_S = 60
PROGRAMS = ("bash", "curl", "jq", "openssl", "sed")


@dataclass(frozen=True)
class Example:
    """A block that is run, and what the document says it prints."""

    language: str
    source: str
    prints: str


def examples() -> list[Example]:
    blocks = code_blocks(DOCUMENT)
    found = []
    for (language, source), (following, text) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if language in ("bash", "python"):
            found.append(Example(language, source, text if following == "text" else ""))
    return found


@pytest.fixture
def folder(house: House, tmp_path: Path) -> Path:
    """A checkout after `make up`, as far as the examples look at it."""
    (tmp_path / ".razvilka").mkdir()
    (tmp_path / ".razvilka" / "demo.env").write_text(house.stack.demo.text)
    return tmp_path


@pytest.fixture
def demo_browser(house: House) -> Iterator[tuple[Browser, Person]]:
    demo = house.stack.demo
    with house.browser() as browser:
        yield browser, Person(demo.demo_user_id, demo.demo_email, demo.demo_password)


def run_shell(folder: Path, source: str, answer: str) -> str:
    """Run a block after the blocks before it: their variables are there."""
    script = f"set -eu -o pipefail\ntouch {STATE}\nsource {STATE} 2>/dev/null\n{source}\n{KEEP}"
    return run(["bash", "-c", script], folder, typed=f"{answer}\n", limit_s=LIMIT_S)


def assert_prints(said: str, documented: str) -> None:
    """Compare line by line; an ellipsis stands for anything."""
    pattern = re.escape(documented.strip()).replace("…", ".*")
    assert re.fullmatch(pattern, said.strip()), f"said:\n{said}\ndocumented:\n{documented}"


def test_the_shell_examples_run_one_after_another(folder: Path, demo_browser):
    """Copied from the document as they are; the test plays the person at the browser."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"the examples need {', '.join(missing)}")
    browser, person = demo_browser
    shell = [example for example in examples() if example.language == "bash"]
    address = ""
    for example in shell:
        answer = browser.walk(browser.get(address), person) if "read -r" in example.source else ""
        said = run_shell(folder, example.source, answer)
        if example.prints:
            assert_prints(said, example.prints)
        address = said.strip() if "/authorize?" in said else address

    assert len(shell) >= 8
    assert address


def test_the_python_example_runs(folder: Path, house: House, demo_browser):
    """With Authlib."""
    browser, person = demo_browser
    example = next(each for each in examples() if each.language == "python")
    demo = house.stack.demo
    known = {"RAZVILKA_URL": demo.url, "RAZVILKA_PUBLIC_CLIENT_ID": demo.public_client_id}
    with subprocess.Popen(
        [sys.executable, "-c", example.source],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment() | known,
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        said, _ = process.communicate(browser.walk(browser.get(address), person) + "\n", timeout=LIMIT_S)

    assert process.returncode == 0
    assert said.strip() == "list"


def first_column(heading: str) -> set[str]:
    """Return what stands in backticks in the first column of a section's table."""
    section = DOCUMENT.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_every_scope_is_documented(house: House):
    """No more and no fewer than the server announces."""
    announced = house.http.get("/.well-known/oauth-authorization-server").json()["scopes_supported"]

    assert first_column("Scopes") == set(announced)


def test_every_endpoint_is_documented(house: House):
    """No more and no fewer than the server announces, and the page of devices."""
    metadata = house.http.get("/.well-known/oauth-authorization-server").json()
    announced = {
        value.removeprefix(house.url) for name, value in metadata.items() if name.endswith(("_endpoint", "_uri"))
    }

    assert {name.split(" ")[1] for name in first_column("Endpoints")} == announced | {"/device"}


def test_every_setting_named_exists():
    """A renamed setting cannot be forgotten here."""
    named = set(re.findall(r"`((?:AUTH|GATEWAY)_[A-Z_]+)`", DOCUMENT.read_text()))

    assert named
    assert named <= {variable for program in SETTINGS for variable in variables_of(program)}


def test_every_link_leads_somewhere():
    """Anchors of this document, and files beside it."""
    text = DOCUMENT.read_text()
    headings = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings, target
        else:
            assert (DOCUMENT.parent / target.partition("#")[0]).exists(), target
