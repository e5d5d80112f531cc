"""Alert rules speak of metrics that exist, ring when they should, and send whoever is woken to a page that helps."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from services.gateway.edge import metrics as edge_metrics
from services.gateway.edge.problems import RENDERING
from services.gateway.inference import paths
from tools import metrics_page
from tools.stack.home import REPOSITORY

FOLDER: Final = REPOSITORY / "deploy" / "observability" / "rules"
RULES: Final = sorted(FOLDER.glob("*.yaml"))
PLAYED: Final = sorted((FOLDER / "tests").glob("*.yaml"))
RUNBOOKS: Final = REPOSITORY / "docs" / "operations" / "runbooks"
HEADINGS: Final = ["What it means", "How to see it", "How to mend it", "How to prove it is mended"]
METRIC: Final = re.compile(r"razvilka_\w+")
RECORDED: Final = re.compile(r"razvilka:\w+:\w+")
# A histogram is declared by its name alone.
PART: Final = re.compile(r"_(bucket|sum|count)$")
# The page is generated from the declared metrics, and `make lint` checks that it is whole.
DECLARED: Final = frozenset(re.findall(r"^\| `(razvilka_\w+)` \|", metrics_page.FILE.read_text(), re.MULTILINE))
# Counter, window: one event is enough.
ONE_EVENT: Final = re.compile(r"increase\((razvilka_\w+(?:{[^}]*})?)\[(\d+)([mhd])\]\)+ > 0(?![.\d])")
SECONDS: Final = {"m": 60, "h": 3600, "d": 86400}
# Of a week's use it hardly matters whether one request is missed.
ASKS_WHO_IS_USED: Final = {"ModelEnds"}
OWNERS: Final = {"billing", "operations", "security"}
SETTINGS: Final = frozenset(re.findall(r"^#?([A-Z]+_\w+)=", (REPOSITORY / ".env.example").read_text(), re.MULTILINE))
needs_promtool: Final = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not on PATH: Debian's package prometheus has it"
)


def rules(file: Path) -> list[dict[str, Any]]:
    return [rule for group in yaml.load(file.read_text(), yaml.CSafeLoader)["groups"] for rule in group["rules"]]


ALERTS: Final = {rule["alert"]: rule for file in RULES for rule in rules(file) if "alert" in rule}
RECORDS: Final = {rule["record"] for file in RULES for rule in rules(file) if "record" in rule}
PLAYS: Final = [play for file in PLAYED for play in yaml.load(file.read_text(), yaml.CSafeLoader)["tests"]]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as its host makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def sources() -> str:
    """Return all of the gateway: routes are looked for in it."""
    return " ".join(file.read_text() for file in (REPOSITORY / "services" / "gateway").rglob("*.py"))


def metrics_of(text: str) -> set[str]:
    return {PART.sub("", name) for name in METRIC.findall(text)}


@pytest.mark.parametrize("file", RULES, ids=lambda file: str(file.name))
def test_every_metric_of_a_rule_is_declared(file: Path) -> None:
    """A rule on a metric that was renamed never fires, and nobody sees that."""
    text = " ".join(rule["expr"] for rule in rules(file))

    assert metrics_of(text)
    assert metrics_of(text) <= DECLARED
    assert set(RECORDED.findall(text)) <= RECORDS


@pytest.mark.parametrize("name", ALERTS)
def test_an_alarm_that_one_event_rings_counts_what_came_before_the_first_scrape(name: str) -> None:
    """increase() is 0 for what a process counted before Prometheus saw it: a rollout with a wrong credential."""
    expression = ALERTS[name]["expr"]

    for counter, number, unit in ONE_EVENT.findall(expression):
        young = rf"{re.escape(counter)}[^[]*time\(\) - process_start_time_seconds < {int(number) * SECONDS[unit]}\b"
        assert name in ASKS_WHO_IS_USED or re.search(young, expression)


@pytest.mark.parametrize("name", ALERTS)
def test_every_alarm_says_how_urgent_it_is_whose_and_what_to_read(name: str) -> None:
    """The page has the alarm's own name, and repeats what the rule says of it."""
    rule = ALERTS[name]
    labels, page = rule["labels"], REPOSITORY / rule["annotations"]["runbook"]

    assert labels["severity"] in ("page", "ticket")
    assert labels["owner"] in OWNERS
    assert rule["annotations"]["summary"]
    assert page == RUNBOOKS / f"{name}.md"
    text = page.read_text()
    assert text.startswith(f"# {name}\n\nSeverity **{labels['severity']}**, owner **{labels['owner']}**")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert all(len(part.strip()) > 20 for part in re.split(r"^## .*$", text, flags=re.MULTILINE)[1:])


def test_the_page_of_what_was_seen_has_every_alarm_once() -> None:
    """A new alarm is injected, or said to be played only: `make alerts`."""
    text = (RUNBOOKS.parent / "alerts.md").read_text()

    assert sorted(re.findall(r"^\| \[(\w+)\]", text, re.MULTILINE)) == sorted(ALERTS)


def test_each_alarm_has_a_name_and_a_page_of_its_own() -> None:
    """Two rules of one name are one alarm to whoever silences it; a page without an alarm is never opened."""
    names = [rule["alert"] for file in RULES for rule in rules(file) if "alert" in rule]

    assert len(names) == len(set(names))
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == set(names)


@pytest.mark.parametrize("name", ALERTS)
def test_what_a_runbook_names_exists(name: str) -> None:
    """At three in the morning nobody looks for the new name of a metric, a setting, a route or a page."""
    page = RUNBOOKS / f"{name}.md"
    text = page.read_text()
    links = [link.partition("#") for link in re.findall(r"\]\(([^)]+)\)", text)]
    routes = re.findall(r"`(?:GET|POST|DELETE) (/v1/[^?`]+)", text)
    settings = re.findall(r"\b((?:GATEWAY|AUTH|ROUTER|USAGE)_[A-Z][A-Z_]+[A-Z])\b(?!…)", text)

    assert metrics_of(text) <= DECLARED
    assert set(RECORDED.findall(text)) <= RECORDS
    assert [route for route in routes if f'"{route}"' not in sources()] == []
    assert [each for each in settings if not {each, each.removesuffix("_FILE")} & SETTINGS] == []
    assert [link for link, _, _ in links if not (page.parent / link).exists()] == []
    assert [a for link, _, a in links if a and a not in anchors(page.parent / link)] == []


@pytest.mark.parametrize("name", ALERTS)
def test_every_alarm_is_played_ringing_and_silent(name: str) -> None:
    """A rule without a test of both is a wish."""
    played = [each for play in PLAYS for each in play.get("alert_rule_test", ()) if each["alertname"] == name]

    assert any(each["exp_alerts"] for each in played)
    assert any(not each["exp_alerts"] for each in played)


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_every_recorded_series_is_played(name: str) -> None:
    """What dashboards and alarms build on has figures that somebody worked out."""
    asked = [each["expr"] for play in PLAYS for each in play.get("promql_expr_test", ())]

    assert any(re.search(rf"{re.escape(name)}\b", expr) for expr in asked)


def test_availability_counts_exactly_the_errors_that_are_not_the_callers() -> None:
    """A new reason with a status of 500 and more counts; one of the caller's never does."""
    exprs = [rule["expr"] for rule in rules(FOLDER / "slo.yaml") if rule.get("labels") == {"slo": "availability"}]
    ours = sorted(reason.value.lower() for reason, rendering in RENDERING.items() if rendering.status >= 500)
    paid = (paths.CHAT, paths.COMPLETIONS, paths.EMBEDDINGS, paths.MESSAGES, paths.RESPONSES)

    for expr in exprs:
        codes, routes = re.search(r'code=~"([^"]+)"', expr), re.search(r'route=~"([^"]+)"', expr)
        assert codes is not None
        assert codes.group(1).split("|") == ours
        assert routes is not None
        assert all(re.fullmatch(routes.group(1), route) for route in paid)


def test_every_error_that_availability_counts_is_there_before_the_first() -> None:
    """Of a counter that begins with a thousand errors, those of the first bad minute after a start, nothing rises."""
    [expr] = {
        rule["expr"]
        for rule in rules(FOLDER / "slo.yaml")
        if rule.get("record") == "razvilka:slo_errors:ratio_rate5m" and rule["labels"] == {"slo": "availability"}
    }
    found = re.search(r'razvilka_gateway_errors_total{route=~"([^"]+)",code=~"([^"]+)"}', expr)
    assert found
    [counted] = edge_metrics.ERRORS.collect()
    there = {(each.labels["route"], each.labels["code"]) for each in counted.samples if each.name.endswith("_total")}
    # /v1/(a|b): the only form in which the rule names them.
    base, _, ends = found[1].partition("(")

    wanted = {(base + end, code) for end in ends.rstrip(")").split("|") for code in found[2].split("|")}
    assert len(wanted) > 50
    assert wanted <= there


def test_the_jobs_that_alarms_ask_for_are_those_that_are_scraped() -> None:
    """By another name a service that is there would be missing for ever, in Compose or in Kubernetes."""
    asked = set(re.findall(r'absent\(up\{job="([^"]+)"\}\)', ALERTS["ServiceDown"]["expr"]))
    config = yaml.load((FOLDER.parent / "prometheus.yml").read_text(), yaml.CSafeLoader)
    monitor_file = REPOSITORY / "deploy" / "k8s" / "components" / "pod-monitor" / "pod-monitor.yaml"
    monitor = yaml.load(monitor_file.read_text(), yaml.CSafeLoader)["spec"]
    (pods,) = monitor["selector"]["matchExpressions"]
    (relabelled,) = monitor["podMetricsEndpoints"][0]["relabelings"]

    assert {job["job_name"] for job in config["scrape_configs"]} == asked
    assert relabelled["targetLabel"] == "job"
    assert {relabelled["replacement"].replace("$1", name) for name in pods["values"]} == asked


def test_the_jobs_of_pods_that_are_asked_by_their_annotations_have_the_names_of_alarms() -> None:
    """By the usual job for annotated pods all four services would be missing for ever."""
    config = yaml.load((FOLDER.parent / "prometheus-kubernetes.yml").read_text(), yaml.CSafeLoader)
    [job] = config["scrape_configs"]
    patch = yaml.load((REPOSITORY / "deploy/k8s/base/program-patch.yaml").read_text(), yaml.CSafeLoader)
    [named] = [each for each in job["relabel_configs"] if each.get("target_label") == "job"]
    kept = {each["source_labels"][0]: each["regex"] for each in job["relabel_configs"] if each.get("action") == "keep"}

    asked = set(re.findall(r'absent\(up\{job="([^"]+)"\}\)', ALERTS["ServiceDown"]["expr"]))
    assert named["source_labels"] == ["__meta_kubernetes_pod_label_app_kubernetes_io_name"]
    assert {named["replacement"].replace("$1", name) for name in ("gateway", "auth", "router", "usage")} == asked
    annotations = patch["spec"]["template"]["metadata"]["annotations"]
    assert kept["__meta_kubernetes_pod_annotation_prometheus_io_scrape"] == annotations["prometheus.io/scrape"]
    assert kept["__meta_kubernetes_pod_phase"] == "Running"


@needs_promtool
@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus-kubernetes.yml"])
def test_prometheus_takes_its_configuration(name: str, tmp_path: Path) -> None:
    """By its own checker. Debian's is built without Kubernetes: how pods are found is left out."""
    config = yaml.load((FOLDER.parent / name).read_text(), yaml.CSafeLoader)
    for job in config["scrape_configs"]:
        job.pop("kubernetes_sd_configs", None)
    file = tmp_path / name
    file.write_text(yaml.safe_dump(config))

    command = ["promtool", "check", "config", "--syntax-only", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("file", RULES, ids=lambda file: str(file.name))
def test_prometheus_takes_the_rules(file: Path) -> None:
    """Its own checker reads expressions and templates."""
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("file", PLAYED, ids=lambda file: str(file.name))
def test_alarms_ring_when_they_should_and_not_before(file: Path) -> None:
    """Prometheus's own player of series: which alarm rings at which minute, what it says, and when it ends."""
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not on PATH: Debian's prometheus-alertmanager")
def test_alertmanager_takes_its_configuration() -> None:
    """Its own checker reads routes, receivers and inhibitions."""
    file = FOLDER.parent / "alertmanager.yml"

    done = subprocess.run(["amtool", "check-config", str(file)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
