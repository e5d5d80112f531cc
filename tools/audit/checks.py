"""The checks: each runs a tool of its own environment and says what it found, or that it could not look."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.stack.home import REPOSITORY

CODE: Final = ("services", "servicekit", "tools", "emulator", "bench")
LOCK: Final = "requirements-runtime.lock"
RULES: Final = "tools/audit/rules"
PLANTED: Final = Path(__file__).with_name("planted.txt")
BASELINE: Final = "tools/audit/secrets.json"
BILL: Final = "build/sbom.json"
# What a person has looked at, by bandit's number and file, and why it may stay.
REVIEWED: Final[Mapping[tuple[str, str], str]] = {
    ("B104", "emulator/settings.py"): "compares with the address, to print another one",
    ("B104", "tools/stack/environments.py"): "compares with the address, to print another one",
    ("B108", "tools/servers/demotion.py"): "a folder of our own below it, whose owner is checked",
    ("B113", "services/gateway/metering/recovery.py"): "`requests` is a dictionary there, not the library",
    ("B310", "bench/peers/running.py"): "asks the gateways that the bench itself has started",
    ("B310", "servicekit/probe.py"): "the scheme is checked one line before",
    ("B411", "tools/stack/supervision/supervisor.py"): "XML of our own supervisor over a socket that only we can open",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says: `problems` fail the audit, `note` is for the reader either way."""

    note: str
    problems: tuple[str, ...] = ()


Check = Callable[[Path], Verdict]


def bandit(tools: Path) -> Verdict:
    """Look for known dangerous calls of medium severity and above."""
    asked = ("-q", "-r", *CODE, "-ll", "-x", "*/tests/*,*/testing/*", "-f", "json")
    results = json.loads(_run(tools / "bandit", *asked))["results"]
    found = {(each["test_id"], each["filename"].removeprefix("./")): each for each in results}
    problems = [f"{test} {file}:{found[test, file]['line_number']}" for test, file in sorted(found.keys() - REVIEWED)]
    stale = [f"{test} {file} is reviewed but gone" for test, file in sorted(REVIEWED.keys() - found)]
    return Verdict(f"{len(found)} findings, {len(found) - len(problems)} of them reviewed", (*problems, *stale))


def semgrep(tools: Path) -> Verdict:
    """Look for what our own rules forbid, after seeing that each of them finds what was planted for it."""
    with tempfile.TemporaryDirectory() as folder:
        planted = Path(folder) / "services" / "planted.py"
        planted.parent.mkdir()
        planted.write_text(PLANTED.read_text())
        fired = {_short(each["check_id"]) for each in _semgrep(tools, ".", cwd=Path(folder))["results"]}
    rules = set(re.findall(r"- id: (\S+)", (REPOSITORY / RULES / "razvilka.yaml").read_text()))
    scanned = _semgrep(tools, "services", "servicekit", "tools", cwd=REPOSITORY)
    problems = [f"{_short(each['check_id'])} {each['path']}:{each['start']['line']}" for each in scanned["results"]]
    blind = [f"rule {rule} does not find what is planted for it" for rule in sorted(rules - fired)]
    return Verdict(f"{len(rules)} rules over {len(scanned['paths']['scanned'])} files", (*problems, *blind))


def secrets(tools: Path) -> Verdict:
    """Look for secrets in the files of this repository that are not in the baseline."""
    listed = _run("git", "ls-files", "-z").split("\0")
    files = [file for file in listed if _may_hold_secrets(file)]
    # The hook answers 1 when there is a new one; it rewrites its baseline, which is why it gets a copy.
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "secrets.json"
        copy.write_text((REPOSITORY / BASELINE).read_text())
        done = _done(tools / "detect-secrets-hook", "--baseline", str(copy), "--json", *files)
    found = json.loads(done.stdout)["results"] if done.returncode == 1 else {}
    problems = [f"{file}:{each['line_number']} {each['type']}" for file, all_of in found.items() for each in all_of]
    return Verdict(f"{len(files)} files", tuple(problems))


def _may_hold_secrets(file: str) -> bool:
    # The baseline is a list of hashes; the hook leaves it out by its name, which the copy does not have. What protoc
    # writes is a message's description in letters that look like a key.
    return bool(file) and "/tests/" not in file and not file.endswith((".lock", "_pb2.py")) and file != BASELINE


def dependencies(tools: Path) -> Verdict:
    """Ask the advisory database about every locked package."""
    done = _done(tools / "pip-audit", "-r", LOCK, "--require-hashes", "--disable-pip", "-f", "json")
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return Verdict(f"NOT CHECKED: no advisory database can be reached ({_last_line(done.stderr)})")
    asked = [each for each in packages if "skip_reason" not in each]
    problems = [f"{each['name']} {each['version']}: {vuln['id']}" for each in asked for vuln in each["vulns"]]
    # pip-audit calls it a success when it could ask about nothing.
    left_out = len(packages) - len(asked)
    if not asked:
        return Verdict(f"NOT CHECKED: the advisory database knows none of {left_out} packages, or cannot be reached")
    missing = f", {left_out} NOT CHECKED" if left_out else ""
    return Verdict(f"{len(asked)} packages checked{missing}", tuple(problems))


def bill_of_materials(tools: Path) -> Verdict:
    """Write what an image is made of, as CycloneDX."""
    text = _run(tools / "cyclonedx-py", "requirements", LOCK, "--output-reproducible", "--of", "JSON")
    named = {each["name"] for each in json.loads(text)["components"]}
    pinned = set(re.findall(r"^([A-Za-z0-9._-]+)==", (REPOSITORY / LOCK).read_text(), re.MULTILINE))
    (REPOSITORY / BILL).parent.mkdir(exist_ok=True)
    (REPOSITORY / BILL).write_text(text)
    missing = tuple(f"{name} is locked but not in {BILL}" for name in sorted(pinned - named))
    return Verdict(f"{BILL}, {len(named)} components", missing)


CHECKS: Final[Mapping[str, Check]] = {
    "bandit": bandit,
    "semgrep": semgrep,
    "secrets": secrets,
    "dependencies": dependencies,
    "bill of materials": bill_of_materials,
}


def _semgrep(tools: Path, *paths: str, cwd: Path) -> dict[str, Any]:
    quiet = ("--metrics", "off", "--disable-version-check", "--quiet", "--json", "--no-git-ignore")
    done = _done(tools / "semgrep", "scan", "--config", str(REPOSITORY / RULES), *quiet, *paths, cwd=cwd)
    answered: dict[str, Any] = json.loads(done.stdout)
    return answered


def _short(check_id: str) -> str:
    return check_id.rpartition(".")[2]


def _run(program: Path | str, *arguments: str) -> str:
    done = _done(program, *arguments)
    # 1 is "there are findings", which the output tells better.
    if done.returncode not in (0, 1):
        raise SystemExit(f"{program}: {_last_line(done.stderr)}")
    return done.stdout


def _done(program: Path | str, *arguments: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1][:200] if text.strip() else "no message"
