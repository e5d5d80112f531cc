"""What `docker build` would see and copy, worked out from `.dockerignore` and `Dockerfile` without an engine."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a Dockerfile, its continued lines joined and its build arguments put in."""

    word: str
    rest: str


@dataclass(frozen=True, slots=True)
class Copy:
    """A COPY from the build context; paths of the image are absolute."""

    sources: tuple[str, ...]
    target: str


def ignored(path: str, patterns: list[str]) -> bool:
    """Say whether `.dockerignore` leaves a file out: the last pattern that fits it or a folder above it decides."""
    verdict = False
    for pattern in patterns:
        if _fits(path, pattern.removeprefix("!").strip("/")):
            verdict = not pattern.startswith("!")
    return verdict


def _fits(path: str, pattern: str) -> bool:
    expression = re.compile(_expression(pattern))
    folders = [str(folder) for folder in PurePosixPath(path).parents if str(folder) != "."]
    return any(expression.fullmatch(each) for each in [path, *folders])


def _expression(pattern: str) -> str:
    tokens = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return "".join(tokens.get(part, re.escape(part)) for part in parts)


def context(repository: Path) -> list[str]:
    """Return the files of a clean checkout that reach the engine."""
    lines = (repository / ".dockerignore").read_text().splitlines()
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    listed = subprocess.run(["git", "ls-files"], cwd=repository, capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.splitlines() if (repository / path).exists() and not ignored(path, patterns)]


@dataclass(slots=True)
class Stage:
    """A stage of a build: what it begins with, and what follows."""

    base: str
    instructions: list[Instruction]


def last_stage(dockerfile: str, arguments: dict[str, str]) -> list[Instruction]:
    """Return the instructions of the stage that becomes the image; what it takes of the stage `code` is put in."""
    stages = _stages(dockerfile, arguments)
    return [each for instruction in stages[""].instructions for each in _inlined(instruction, stages)]


def _stages(dockerfile: str, arguments: dict[str, str]) -> dict[str, Stage]:
    """Return the stages by their names; the last one has none."""
    stages: dict[str, Stage] = {}
    general: dict[str, str] = {}
    values, stage = general, Stage("", [])
    for line in _lines(dockerfile):
        word, _, rest = line.partition(" ")
        rest = _filled(rest.strip(), general if word == "FROM" else values)
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stage, values = Stage(base, []), {}
            stages[name] = stage
        elif word == "ARG":
            name, _, default = rest.partition("=")
            values[name] = arguments.get(name, default)
        else:
            stage.instructions.append(Instruction(word, rest))
    return stages


def _inlined(instruction: Instruction, stages: dict[str, Stage]) -> Iterator[Instruction]:
    if instruction.word == "COPY" and instruction.rest.startswith("--from=code / "):
        target = instruction.rest.split()[-1]
        for each in stages[stages["code"].base].instructions:
            yield Instruction(each.word, _moved(each.rest, target))
    else:
        yield instruction


def _moved(copy: str, target: str) -> str:
    *sources, place = copy.split()
    return " ".join([*sources, target + place])


def _lines(dockerfile: str) -> Iterator[str]:
    kept = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    yield from (line.strip() for line in "\n".join(kept).replace("\\\n", " ").splitlines() if line.strip())


def _filled(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda found: values.get(found[1], found[0]), text)


def copies(stage: list[Instruction]) -> list[Copy]:
    """Return what a stage copies from the build context."""
    folder = PurePosixPath("/")
    found: list[Copy] = []
    for instruction in stage:
        if instruction.word == "WORKDIR":
            folder /= instruction.rest
        elif instruction.word == "COPY" and not instruction.rest.startswith("--from"):
            *sources, target = instruction.rest.split()
            slash = "/" if target.endswith("/") else ""
            found.append(Copy(tuple(sources), f"{folder / target}{slash}"))
    return found


def missing(copy: Copy, files: list[str]) -> list[str]:
    """Return the sources of a COPY that the build context does not have."""
    return [source for source in copy.sources if not _under(source, files)]


def perform(copy: Copy, files: list[str], repository: Path, image: Path) -> None:
    """Copy as the engine would: a folder's content into the target, a file to it (or into it, if it ends with `/`)."""
    for source in copy.sources:
        for path in _under(source, files):
            inside = path[len(source) :].lstrip("/") or (Path(source).name if copy.target.endswith("/") else "")
            target = image / copy.target.strip("/") / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(repository / path, target)


def _under(source: str, files: list[str]) -> list[str]:
    name = source.rstrip("/")
    return [path for path in files if path == name or path.startswith(f"{name}/")]
