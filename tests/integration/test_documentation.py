"""README and docs/operations/local.md say what is true: commands and examples run against the running suite.

`make up` and `make down` themselves are run by `tools/tests/test_up.py`; here the suite runs already.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.router.providers.registry import BUILT_IN
from tests.documents import code_blocks, environment, run, run_shell
from tools.settings_catalog import SETTINGS, variables_of
from tools.stack.home import REPOSITORY
from tools.stack.running_stack import RunningStack

READMES = ("README.md", "README.ru.md")
LOCAL = REPOSITORY / "docs" / "operations" / "local.md"
WITH_COMMANDS = (*READMES, "CONTRIBUTING.md", "docs/operations/local.md")
STARTS_OR_STOPS = re.compile(r"^make (up|down)\b.*\n", re.MULTILINE)
# Read by `make up` itself and by libraries, not by a settings class of ours.
OF_THE_LAUNCHER = {
    "RAZVILKA_PORT",
    "RAZVILKA_HOME",
    "RAZVILKA_PROFILE",
    "RAZVILKA_UPSTREAMS",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
}


@pytest.fixture
def checkout(stack: RunningStack, tmp_path: Path) -> Path:
    """A folder after `make up`, as far as the examples look at it."""
    (tmp_path / ".razvilka").mkdir()
    (tmp_path / ".razvilka" / "demo.env").write_text(stack.demo.text)
    return tmp_path


def block(document: str, language: str) -> str:
    """Return the document's first block in a language."""
    return next(text for name, text in code_blocks(REPOSITORY / document) if name == language)


def make(stack: RunningStack, *words: str) -> list[str]:
    """Return the command line of `make` for the running suite."""
    return ["make", "-s", "-C", str(REPOSITORY), f"RAZVILKA_HOME={stack.parts.home.root}", *words]


@pytest.mark.parametrize("document", READMES)
def test_the_readme_gets_an_answer_in_five_minutes(document, checkout):
    """From `make up` to the first answer, copied as it stands."""
    if shutil.which("curl") is None:
        pytest.skip("the example needs curl")
    source = block(document, "sh")
    assert STARTS_OR_STOPS.search(source)

    said = run_shell(STARTS_OR_STOPS.sub("", source), checkout)

    answer = json.loads(said)
    assert answer["choices"][0]["message"]["content"]
    assert answer["usage"]["total_tokens"] > 0


def test_the_readme_python_example_runs_in_the_shell_of_the_example_before(checkout):
    """Whoever typed `source .razvilka/demo.env` need only start Python."""
    shell = re.search(r"^source .*$", block("README.md", "sh"), re.MULTILINE)
    assert shell is not None
    (checkout / "example.py").write_text(block("README.md", "python"))

    said = run_shell(f"{shell[0]}\n{sys.executable} example.py", checkout)

    *deltas, usage = said.strip().splitlines()
    assert "".join(deltas).strip()
    assert usage.startswith("CompletionUsage(")


def test_status_shows_every_program_and_that_the_suite_is_ready(stack):
    """As docs/operations/local.md says."""
    said = run(make(stack, "status"), REPOSITORY)

    for program in ("postgres", "redis", "emulator", "auth", "router", "usage", "gateway"):
        assert re.search(rf"^  {program} +RUNNING", said, re.MULTILINE), said
    assert f"{stack.url} is ready" in said


def test_psql_runs_a_statement(stack):
    """The Makefile's own example of ARGS."""
    said = run(make(stack, "psql", "ARGS=-At -c 'SELECT 1'"), REPOSITORY)

    assert said.strip() == "1"


def test_logs_follow_one_program(stack):
    """The last lines come at once; it goes on until it is stopped."""
    with subprocess.Popen(
        make(stack, "logs", "ARGS=gateway"),
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        still_following = process.poll() is None
        os.killpg(process.pid, signal.SIGTERM)

    assert json.loads(line)["event"]
    assert still_following


@pytest.mark.parametrize("document", WITH_COMMANDS)
def test_every_make_target_that_is_named_exists(document):
    """In running text too."""
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    text = (REPOSITORY / document).read_text()
    named = set(re.findall(r"`make ([a-z-]+)", text)) | set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE))

    assert named
    assert named <= targets


def test_every_setting_of_the_table_exists():
    """A renamed variable cannot be forgotten here."""
    rows = re.findall(r"^\| (`.*?) \|", LOCAL.read_text().split("\n## Settings\n")[1], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    prefixes = set(re.findall(r"`([A-Z]+_)\*`", "\n".join(rows)))
    known = {variable for program in SETTINGS for variable in variables_of(program)}

    assert named
    assert named - OF_THE_LAUNCHER - provider_variables() <= known
    assert prefixes == {f"{program.upper()}_" for program in SETTINGS}


def provider_variables() -> set[str]:
    """Return what `make up` passes on to the router under another name."""
    return {variable.name for each in BUILT_IN for variable in each.access.variables}


@pytest.mark.parametrize("document", [*WITH_COMMANDS, "docs/architecture.md"])
def test_every_link_leads_to_a_file(document):
    """What was moved is linked to where it is."""
    targets = re.findall(r"\]\(([^)#:]+)\)", (REPOSITORY / document).read_text())

    missing = [target for target in targets if not ((REPOSITORY / document).parent / target).exists()]
    assert missing == []


def test_every_file_that_contributing_names_exists():
    """Its tables tell where what is changed, and where what is found."""
    tables = re.findall(r"^\| .* \|$", (REPOSITORY / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    named = {name for row in tables for name in re.findall(r"`([\w./{},-]+/[\w./{},-]+[\w/])`", row)}
    paths = {path for name in named for path in spelled_out(name)}

    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    known = "/" + listed.replace("\n", "\n/")
    assert len(paths) > 30
    assert [path for path in sorted(paths) if f"/{path}" not in known] == []


def spelled_out(name: str) -> list[str]:
    """Return the paths of a name with braces, as a shell reads it."""
    head, brace, rest = name.partition("{")
    if not brace:
        return [name]
    choices, _, tail = rest.partition("}")
    return [head + choice + tail for choice in choices.split(",")]
