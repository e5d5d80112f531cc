"""Runbooks are read at three in the morning: every command, figure, line of a log and name in them is there."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from services.gateway.journal_commands import COMMANDS as JOURNAL_COMMANDS
from services.gateway.probing.probe import Outcome
from services.usage.column_store_command import COMMANDS as COLUMN_COMMANDS
from tools import metrics_page
from tools.stack.home import REPOSITORY
from tools.tests.runbook_text import MATCHER, PROGRAMS, of_kind, statements
from tools.tests.test_alert_rules import needs_promtool

METRIC_ROW: Final = re.compile(r"^\| `(razvilka_\w+)` \| \w+ \| ([^|]*) \|", re.MULTILINE)
# Of each series, by Prometheus, by histograms, or by our recording rules.
LABELS_OF_ALL: Final = {"instance", "job", "le", "slo"}
# Words of PostgreSQL, of Linux, of Kubernetes and of HTTP.
FOREIGN: Final = {
    *("Lock", "max_connections", "pg_stat_activity", "pg_blocking_pids(pid)", "wait_event_type"),
    *("cpu.stat", "nr_throttled", "Max file size", "OOMKilled", "Deprecation", "Sunset"),
}
SETTINGS: Final = frozenset(re.findall(r"^#?([A-Z]+_\w+)=", (REPOSITORY / ".env.example").read_text(), re.MULTILINE))
# Events that are made of a prefix and an outcome.
MADE: Final = {f"probes.{outcome.value}" for outcome in Outcome}
SERVICES: Final = ("AUTH", "ROUTER", "USAGE", "GATEWAY")


class Loose(yaml.CSafeLoader):
    """Reads Compose's own tags (`!reset`) as nothing."""


Loose.add_multi_constructor("!", lambda *_: None)


@cache
def source() -> str:
    """Return what runs: the services, what they share, their contracts and tables, our rules."""
    parts = {
        "services": ("py", "sql", "toml"),
        "servicekit": ("py",),
        "protos/razvilka": ("proto",),
        "deploy/observability": ("yaml",),
    }
    files = [
        file
        for folder, endings in parts.items()
        for ending in endings
        for file in (REPOSITORY / folder).rglob(f"*.{ending}")
        if "tests" not in file.parts
    ]
    return "\n".join(file.read_text() for file in files)


@cache
def words() -> frozenset[str]:
    """Return every name and every dotted event that the source has."""
    return frozenset(re.findall(r"[A-Za-z_][\w.-]*\w|\w", source()))


@cache
def labels() -> dict[str, set[str]]:
    """Return the labels of every metric."""
    text = metrics_page.FILE.read_text()
    return {name: set(re.findall(r"`(\w+)`", given)) for name, given in METRIC_ROW.findall(text)}


def is_command(text: str) -> bool:
    """Say whether somebody who types it gets what the page promises."""
    first, _, rest = text.partition(" ")
    known = {"make": is_target, "docker": is_of_compose, "kubectl": is_of_kubernetes, "python": is_of_a_service}
    return text in PROGRAMS or (first in known and known[first](rest))


def is_target(rest: str) -> bool:
    target, _, arguments = rest.partition(" ")
    is_there = re.search(rf"^{target}:", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    return bool(is_there) and re.fullmatch(r'|ARGS=(\w+|"-c \\".+\\"")', arguments) is not None


@cache
def services_of_compose() -> dict[str, str]:
    """Return what each service is made of, over all files, as text."""
    found: dict[str, str] = {}
    for file in (REPOSITORY / "docker-compose.yml", *(REPOSITORY / "deploy" / "compose").glob("*.yml")):
        for name, service in yaml.load(file.read_text(), Loose)["services"].items():
            found[name] = found.get(name, "") + str(service)
    return found


def is_of_compose(rest: str) -> bool:
    services = services_of_compose()
    if match := re.fullmatch(r"compose exec ([\w-]+) sh (\S+) \w+", rest):
        return f":{match.group(2)}:" in services.get(match.group(1), "")
    match = re.fullmatch(r"compose (?:ps|up -d|(?:logs|run --rm|restart) ([\w-]+))", rest)
    return match is not None and (match.group(1) is None or match.group(1) in services)


def is_of_kubernetes(rest: str) -> bool:
    manifests = "\n".join(file.read_text() for file in (REPOSITORY / "deploy" / "k8s").rglob("*.yaml"))
    if rest in ("-n razvilka get pods", "-n razvilka get certificate,certificaterequest"):
        return "namespace: razvilka" in manifests
    if match := re.fullmatch(r"-n razvilka logs ([\w-]+)-0 --previous", rest):
        return f"kind: StatefulSet\nmetadata:\n  name: {match.group(1)}\n" in manifests
    match = re.fullmatch(r"-n razvilka delete secret ([\w-]+)", rest)
    return match is not None and f"secretName: {match.group(1)}\n" in manifests


def is_of_a_service(rest: str) -> bool:
    if match := re.fullmatch(r"-m services\.usage\.column_store_command (\w+)", rest):
        return match.group(1) in COLUMN_COMMANDS
    match = re.fullmatch(r"-m services\.gateway ([\w-]+) JOURNAL_DIR(/[\w.-]+)?", rest)
    return match is not None and match.group(1) in JOURNAL_COMMANDS


def test_every_command_of_a_runbook_can_be_typed() -> None:
    """Targets, programs of the suite, objects in a cluster, and the gateway's own commands are there by these names."""
    assert [found for found in of_kind("command") if not is_command(found[1])] == []


def complaints(query: str) -> list[str]:
    """Return what a query names that no series has: labels, and their values where one is meant."""
    names = (re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"razvilka_\w+", query))
    known = LABELS_OF_ALL.union(*(labels()[name] for name in names))
    recorded = re.search(r"\brazvilka:|\bup\b|^\{|^\w+=", query)
    named = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", query) for label in group.split(",")}
    matched = MATCHER.findall(query)
    strange = [label for label in named | {label for label, _, _ in matched} if label not in known and not recorded]
    return strange + [value for _, sign, value in matched if sign in ("=", "!=") and value and value not in words()]


def test_every_query_of_a_runbook_asks_for_labels_and_values_that_series_have() -> None:
    """A label that was renamed gives an empty answer, and that looks like good news."""
    assert [(page, found) for page, query in of_kind("promql") if (found := complaints(query))] == []


@needs_promtool
def test_prometheus_can_read_every_query_of_a_runbook(tmp_path: Path) -> None:
    """All of them as recording rules for its own checker; what only selects is none."""
    queries = [query for _, query in of_kind("promql") if not MATCHER.match(query) and not query.startswith("{")]
    asked = [{"record": f"asked:{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "asked.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": asked}]}))

    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def is_setting(name: str) -> bool:
    names = [name.replace("<SERVICE>", service) for service in SERVICES] if "<SERVICE>" in name else [name]
    patterns = [re.compile(each.removesuffix("_FILE").replace("…", r"\w+") + "(?:_FILE)?") for each in names]
    return any(pattern.fullmatch(setting) for pattern in patterns for setting in SETTINGS)


def test_every_setting_and_upper_case_word_of_a_runbook_is_ours() -> None:
    """Also those of which only the ends are told."""
    found = [each for each in of_kind("setting") if not is_setting(each[1]) and each[1] not in words()]

    assert found == []


def is_name(span: str) -> bool:
    """Say whether a word, a field, an event, a path or a file is in the source by that name."""
    if span.endswith("*"):
        return any(word.startswith(span[:-1]) for word in words())
    # A field of YAML is told with its value.
    return span in FOREIGN | MADE or all(part.strip("/.") in words() for part in span.split(": "))


def test_every_other_name_of_a_runbook_is_in_the_source() -> None:
    """Events that are logged, reasons, fields, files: whoever searches the log for one finds it."""
    assert [found for found in of_kind("name") if not is_name(found[1])] == []


def test_every_table_and_function_of_a_runbook_is_ours() -> None:
    """Whether PostgreSQL takes the whole statement is seen where there is one: `make alerts`."""
    named = [(page, name) for page, text in statements() for name in re.findall(r"\b(?:auth|router|usage)\.\w+", text)]

    assert named
    assert [found for found in named if found[1] not in words()] == []
