"""The image of every program can be built from a clean checkout, and what is in it can start."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tools.tests.build_context import Instruction, context, copies, ignored, last_stage, missing, perform

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
PROGRAMS = {
    "auth": {"SERVICE": "auth"},
    "router": {"SERVICE": "router"},
    "usage": {"SERVICE": "usage"},
    "gateway": {"SERVICE": "gateway"},
    "emulator": {"SERVICE": "emulator", "PACKAGE": "emulator"},
    "tools": {"SERVICE": "tools", "PACKAGE": "tools"},
    "migrate": {"SERVICE": "migrate", "CODE": "migrate"},
}
# Bytes 4 to 8 of a .pyc (PEP 552): hash-based, and the hash is not checked.
UNCHECKED_HASH = b"\x01\x00\x00\x00"
# Run with -I -S: nothing of this checkout or of `site` is on the path, only the image and the installed packages.
IMPORT_ALL = """
import importlib, json, sys

app, site_packages, refused, modules = json.loads(sys.stdin.read())
sys.dont_write_bytecode = True
sys.path[:0] = [app, f"{app}/protos/gen"]
sys.path.append(site_packages)

class OnlyRuntime:
    def find_spec(self, name, path=None, target=None):
        if name in refused:
            raise ModuleNotFoundError(f"{name} is not in requirements-runtime.lock", name=name)

sys.meta_path.insert(0, OnlyRuntime())
failed = {}
for name in modules:
    try:
        importlib.import_module(name)
    except ImportError as exc:
        failed[name] = str(exc)
print(json.dumps(failed))
"""


@dataclass(frozen=True, slots=True)
class Image:
    """The files of one program's image, as far as they come from this repository."""

    root: Path
    stage: list[Instruction]

    @property
    def app(self) -> Path:
        """Return the working directory of the image."""
        return self.root / "app"

    @property
    def modules(self) -> list[str]:
        """Return every module there is."""
        roots = [self.app / "protos" / "gen", self.app]
        paths = [path.relative_to(_root_of(path, roots)) for path in sorted(self.app.rglob("*.py"))]
        return [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths]


def _root_of(path: Path, roots: list[Path]) -> Path:
    return next(root for root in roots if path.is_relative_to(root))


@pytest.fixture(scope="module")
def files() -> list[str]:
    """The build context of a clean checkout."""
    if shutil.which("git") is None or not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout")
    return context(REPOSITORY)


@pytest.fixture(params=PROGRAMS)
def image(request, files, tmp_path) -> Image:
    """What the Dockerfile copies for one program."""
    stage = last_stage(DOCKERFILE, PROGRAMS[request.param])
    for copy in copies(stage):
        perform(copy, files, REPOSITORY, tmp_path)
    return Image(tmp_path, stage)


def dev_only_modules() -> list[str]:
    """Return the installed top-level modules that an image does not have."""
    lock = (REPOSITORY / "requirements-runtime.lock").read_text()
    runtime = {normal(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE)}
    installed = packages_distributions()
    return [module for module, owners in installed.items() if not runtime & {normal(owner) for owner in owners}]


def normal(name: str) -> str:
    """Return a package's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize(
    ("path", "left_out"),
    [
        ("README.md", True),
        ("servicekit/errors.py", False),
        ("servicekit/testing/fake_clock.py", True),
        ("services/gateway/tests/inference/test_chat.py", True),
        ("services/gateway/console/pages.py", False),
        ("tools/accounts/demo.py", False),
        ("tools/stack/up.py", True),
    ],
)
def test_the_last_pattern_that_fits_decides(path, left_out):
    """As the engine reads `.dockerignore`."""
    patterns = ["*", "!servicekit", "!services", "!tools/accounts/demo.py", "**/tests", "servicekit/testing"]

    assert ignored(path, patterns) is left_out


@pytest.mark.parametrize("program", PROGRAMS)
def test_everything_that_is_copied_is_in_the_build_context(program, files):
    """Otherwise `docker build` ends at that COPY."""
    found = copies(last_stage(DOCKERFILE, PROGRAMS[program]))

    assert len(found) > 3
    assert [path for copy in found for path in missing(copy, files)] == []


def test_the_locked_packages_are_in_the_build_context(files):
    """The first stage installs them."""
    assert "requirements-runtime.lock" in files


def test_every_module_of_an_image_imports_with_the_packages_of_an_image(image):
    """Neither a file that is not copied nor a developer's package is needed."""
    site_packages = str(Path(pytest.__file__).parents[1])
    question = json.dumps([str(image.app), site_packages, dev_only_modules(), image.modules])

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", IMPORT_ALL],
        cwd=image.app,
        input=question,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {}
    assert "servicekit.entry" in image.modules
    assert "razvilka.auth.v1.auth_pb2" in image.modules


def test_an_image_has_no_tests_and_nothing_of_a_developer(image):
    """What is not needed cannot be attacked."""
    folders = {part for path in image.app.rglob("*") for part in path.relative_to(image.app).parts}

    assert not folders & {"tests", "testing", "stack", "__pycache__", ".env"}


def test_all_code_of_an_image_is_compiled_and_never_compared_with_its_source(image):
    """A start from source costs four times the CPU, and a read-only filesystem keeps no bytecode."""
    runs = [each.rest for each in image.stage if each.word == "RUN" and each.rest.endswith(" /app")]
    assert len(runs) == 1
    command = runs[0].removesuffix("/app").split()

    subprocess.run([sys.executable, *command[1:], str(image.app)], check=True)

    sources = list(image.app.rglob("*.py"))
    compiled = list(image.app.rglob("*.pyc"))
    assert len(compiled) == len(sources) > 20
    assert {path.read_bytes()[4:8] for path in compiled} == {UNCHECKED_HASH}


def test_a_program_is_started_without_a_shell_and_finds_none():
    """The last thing that is run removes what a burglar would look for; the start needs none of it."""
    run = DOCKERFILE.split("\nRUN ")[-1].partition("\nUSER")[0]

    assert re.search(r"^CMD \[\"python\"", DOCKERFILE, re.MULTILINE)
    for gone in ("/bin/sh", "/bin/dash", "/bin/bash", "/usr/bin/apt*", "/usr/bin/dpkg*", "/usr/bin/perl*"):
        assert f" {gone}" in f" {' '.join(run.split())}"


@pytest.mark.parametrize("program", ["auth", "router", "usage", "gateway"])
def test_a_services_image_has_no_tools(program):
    """The demonstration's and the operator's programs have an image of their own."""
    sources = [source for copy in copies(last_stage(DOCKERFILE, PROGRAMS[program])) for source in copy.sources]

    assert [source for source in sources if source.startswith("tools")] == []


@pytest.mark.parametrize("service", ["auth", "router", "usage", "gateway"])
def test_the_images_command_starts_the_service_it_is_named_for(service):
    """`python -m services` is `python -m services.<SERVICE>`."""
    done = subprocess.run(
        [sys.executable, "-m", "services", "no-such-word"], cwd=REPOSITORY, capture_output=True, text=True, check=False,
        env=os.environ | {"SERVICE": service},
    )  # fmt: skip

    assert f"usage: python -m services.{service} serve" in done.stderr


DIGEST = "@sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("profile", "base", "is_built"),
    [
        ("production", "python:3.14-slim-bookworm", False),
        ("production", f"python:3.14-slim-bookworm{DIGEST}", True),
        ("production", f"python:3.14-slim-bookworm{DIGEST[:-1]}", False),
        ("staging", f"python:3.14-slim-bookworm{DIGEST}", False),
        ("local", "python:3.14-slim-bookworm", True),
    ],
)
def test_a_release_names_its_base_by_digest(profile, base, is_built):
    """The first thing a build runs; production is what it is unless it is told otherwise."""
    lines = DOCKERFILE.replace("\\\n", " ").splitlines()
    check = next(line for line in lines if line.startswith("RUN case")).removeprefix("RUN ")
    first_run = next(line for line in lines if line.startswith("RUN"))

    done = subprocess.run(
        ["sh", "-c", check], env={"PROFILE": profile, "BASE": base}, capture_output=True, text=True, check=False
    )

    assert (done.returncode == 0) == is_built
    assert is_built or f"BASE={base}" in done.stderr
    assert first_run.removeprefix("RUN ") == check
    assert "ARG PROFILE=production" in lines


def test_compose_is_the_one_that_builds_for_local_use():
    """Every build of it says so."""
    compose = (REPOSITORY / "docker-compose.yml").read_text()

    assert compose.count("args: {") == compose.count("args: {PROFILE: local, ") > 0


def test_the_image_of_the_move_says_what_is_missing_where_no_suite_can_be_found(files, tmp_path):
    """It has nothing of the local suite: databases are named, or the one line names the variables."""
    for copy in copies(last_stage(DOCKERFILE, PROGRAMS["migrate"])):
        perform(copy, files, REPOSITORY, tmp_path)
    app = tmp_path / "app"
    path = os.pathsep.join([str(app), str(app / "protos" / "gen"), str(Path(pytest.__file__).parents[1])])

    done = subprocess.run(
        [sys.executable, "-S", "-m", "migrate", "report", "--source", "old.db"],
        cwd=app, env={"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 4
    assert done.stderr == "no_target: No databases of 1.1 are named: set AUTH_POSTGRES_DSN and USAGE_POSTGRES_DSN.\n"
