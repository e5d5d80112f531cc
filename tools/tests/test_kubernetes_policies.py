"""What must be true of everything that is sent to a cluster, in the base and in each overlay."""

from __future__ import annotations

import re
from typing import Any

import kubernetes_validate
import pytest
import yaml

from services.gateway.server import SETTLE_GRACE_S
from tools.chart.source import KUSTOMIZE, documents
from tools.settings_catalog import settings_of, variables_of
from tools.tests.manifests import (
    BUILDS,
    build,
    containers,
    needs_kubectl,
    of_kind,
    pods,
    ports_of,
    references,
    selects,
)

KUBERNETES = "1.32"
SERVICES = ("auth", "router", "usage", "gateway")
# Groups of operators, whose schemas are not Kubernetes' own.
OPERATORS = ("monitoring.coreos.com", "external-secrets.io", "gateway.networking.k8s.io")
# PostgreSQL, Redis and its sentinels, names, HTTPS, mail, tokens of GigaChat, traces: what no pod of ours listens on.
OUTSIDE = {53, 443, 465, 587, 4317, 5432, 6379, 6380, 6432, 9443, 26379}
# The picture of docs/architecture.md: who calls whom.
CALLS = {("gateway", "auth"), ("gateway", "router"), ("gateway", "usage")}
METRICS_PORT = 9090

pytestmark = [needs_kubectl, pytest.mark.parametrize("name", BUILDS)]


def test_every_manifest_is_valid(name):
    """By the schemas of Kubernetes, unknown fields refused; what operators define is not known to them."""
    for document in build(name):
        if document["apiVersion"].split("/")[0] not in OPERATORS:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_nothing_is_there_twice(name):
    """Of two of one name the later would silently win."""
    names = [(each["kind"], each["metadata"]["name"]) for each in build(name)]

    assert len(names) == len(set(names))


def test_every_container_is_restricted(name):
    """By the restricted profile of Pod Security, and a root filesystem that nobody writes to."""
    for pod in pods(name).values():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert not any("hostPath" in volume for volume in spec.get("volumes", []))
        for each in containers(pod):
            assert each["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_every_container_says_what_it_takes(name):
    """Requests place a pod, a memory limit ends it before its neighbours; a CPU limit would only slow down."""
    for pod in pods(name).values():
        for each in containers(pod):
            assert set(each["resources"]["requests"]) == {"cpu", "memory"}
            assert set(each["resources"]["limits"]) == {"memory"}


def test_every_image_is_of_one_release(name):
    """Never `latest`, never without a tag, and the same tag for all."""
    images = {each["image"] for pod in pods(name).values() for each in containers(pod)}
    tags = {image.rpartition(":")[2] for image in images if ":" in image}

    assert len(tags) == 1
    assert "latest" not in tags
    assert all(":" in image for image in images)


def test_every_program_has_its_probes(name):
    """Started, alive, ready: each asked for itself."""
    for each in of_kind(name, "Deployment", "StatefulSet"):
        [program] = each["spec"]["template"]["spec"]["containers"]
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(program)
        # One that starts a program each time needs more than its least.
        if "exec" in program["readinessProbe"]:
            assert program["readinessProbe"]["timeoutSeconds"] >= 5


def test_a_schema_is_awaited_by_who_needs_it(name):
    """Migrations gate the start, in whatever order both are sent: no hook, no sleep."""
    for service in ("auth", "router", "usage"):
        [waiting] = pods(name)[service]["spec"]["initContainers"]
        [migrating] = pods(name)[f"{service}-migrate"]["spec"]["containers"]
        assert waiting["args"] == ["python", "-m", f"services.{service}", "await-migrations"]
        assert migrating["args"] == ["python", "-m", f"services.{service}", "migrate"]
        assert waiting["image"] == migrating["image"] == pods(name)[service]["spec"]["containers"][0]["image"]


def test_every_variable_exists(name):
    """In every container and ConfigMap: a typo would stop the start, or leave the default."""
    for owner, pod in pods(name).items():
        service = owner.removesuffix("-migrate")
        known = variables_of(service) | {f"{service.upper()}_MIGRATIONS_DSN"}
        for each in containers(pod):
            assert {variable["name"] for variable in each.get("env", [])} <= known
    for config in of_kind(name, "ConfigMap"):
        known = variables_of(config["metadata"]["name"].removeprefix("razvilka-")) | {"RAZVILKA_PROFILE"}
        assert set(config["data"]) <= known


def test_what_is_referred_to_is_there(name):
    """ConfigMaps in the build; secrets among those that the External Secrets example makes."""
    maps = {each["metadata"]["name"] for each in of_kind(name, "ConfigMap")}
    made = {
        (each["spec"]["target"]["name"], entry["secretKey"])
        for each in documents((KUSTOMIZE / "components/external-secrets/external-secrets.yaml").read_text())
        for entry in each["spec"].get("data", [])
    }
    wanted = {(each["name"], each["key"]) for each in references(build(name), "secretKeyRef")}

    assert {each["name"] for each in references(build(name), "configMapRef")} <= maps
    assert wanted == made
    accounts = {each["metadata"]["name"] for each in of_kind(name, "ServiceAccount")}
    assert {pod["spec"]["serviceAccountName"] for pod in pods(name).values()} == accounts


def test_every_service_leads_to_a_pod(name):
    """Its selector means one, and its port is one of that pod's."""
    for service in of_kind(name, "Service"):
        found = [pod for pod in pods(name).values() if selects({"matchLabels": service["spec"]["selector"]}, pod)]
        assert len(found) == 1, service["metadata"]["name"]
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports_of(found[0]))


def rules(policies: list[dict[str, Any]], direction: str, pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rules of one direction that count for a pod."""
    return [
        rule
        for each in policies
        if selects(each["spec"]["podSelector"], pod)
        for rule in each["spec"].get(direction, [])
    ]


def test_every_port_of_a_policy_is_one_that_somebody_listens_on(name):
    """A port that was moved elsewhere and not here would be closed, or an open one left behind."""
    policies = of_kind(name, "NetworkPolicy")
    for pod in pods(name).values():
        for rule in rules(policies, "ingress", pod):
            assert {port["port"] for port in rule["ports"]} <= set(ports_of(pod).values()) | {METRICS_PORT}
        for rule in rules(policies, "egress", pod):
            to = [each["podSelector"] for each in rule.get("to", []) if "podSelector" in each]
            inside = {
                port
                for other in pods(name).values()
                if any(selects(each, other) for each in to)
                for port in ports_of(other).values()
            }
            assert {port["port"] for port in rule["ports"]} <= (inside or OUTSIDE)


def test_policies_allow_what_the_picture_shows_and_nothing_else(name):
    """Both ends must agree for a connection to be made: the gateway calls services, services call nobody of ours."""
    policies, all_pods = of_kind(name, "NetworkPolicy"), pods(name)
    made = set()
    for caller, source in all_pods.items():
        for called, target in all_pods.items():
            out = {
                port["port"]
                for rule in rules(policies, "egress", source)
                if any("podSelector" in to and selects(to["podSelector"], target) for to in rule.get("to", []))
                for port in rule["ports"]
            }
            into = {
                port["port"]
                for rule in rules(policies, "ingress", target)
                if any("podSelector" in who and selects(who["podSelector"], source) for who in rule.get("from", []))
                for port in rule["ports"]
            }
            if out & into & set(ports_of(target).values()):
                made.add((caller, called))

    assert made == CALLS
    assert {each["metadata"]["name"] for each in policies if not each["spec"]["podSelector"]} >= {"default-deny"}


def test_only_the_gateway_is_open_to_everybody(name):
    """An ingress rule without `from` lets the whole cluster in."""
    policies = of_kind(name, "NetworkPolicy")
    open_to_all = {
        (owner, port["port"])
        for owner, pod in pods(name).items()
        for rule in rules(policies, "ingress", pod)
        if "from" not in rule
        for port in rule["ports"]
    }

    assert open_to_all == {("gateway", 8080)}


def test_disruption_scaling_and_spread_mean_each_program(name):
    """One that selects nothing, or scales what is not there, is noticed by nobody until a node goes."""
    programs = {each["metadata"]["name"]: each for each in of_kind(name, "Deployment", "StatefulSet")}
    budgets = {each["metadata"]["name"]: each for each in of_kind(name, "PodDisruptionBudget")}
    scalers = {each["metadata"]["name"]: each for each in of_kind(name, "HorizontalPodAutoscaler")}
    assert set(programs) == set(budgets) == set(scalers) == set(SERVICES)
    for service, program in programs.items():
        pod = program["spec"]["template"]
        assert selects(budgets[service]["spec"]["selector"], pod)
        assert budgets[service]["spec"]["maxUnavailable"] == 1
        target = scalers[service]["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) == (program["kind"], service)
        # The autoscaler says how many; a number here would take it back at every apply.
        assert "replicas" not in program["spec"]
        spread = pod["spec"]["topologySpreadConstraints"]
        assert all(selects(each["labelSelector"], pod) for each in spread)
        assert [each["topologyKey"] for each in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]


def test_a_gateway_that_is_taken_away_has_the_time_to_ship_what_it_served(name):
    """Behind the longest answer: what is settled last, then the journal for as long as usage may be away."""
    [program] = pods(name)["gateway"]["spec"]["containers"]
    given = {each["name"]: each.get("value", "") for each in program["env"]}
    defaults = {each.variable: each.default for each in settings_of("gateway")}
    drain_s = float(given.get("GATEWAY_METERING_DRAIN_AT_STOP_S") or defaults["GATEWAY_METERING_DRAIN_AT_STOP_S"])
    leave_s = program["lifecycle"]["preStop"]["sleep"]["seconds"] + float(defaults["GATEWAY_LEAVE_S"])
    # The listener, lines of batches and settlements that are under way end one after the other.
    ended_s = float(given["GATEWAY_GRACE_S"]) + 3 * SETTLE_GRACE_S

    assert pods(name)["gateway"]["spec"]["terminationGracePeriodSeconds"] > leave_s + ended_s + drain_s


def test_the_longest_answer_fits_into_the_time_to_end(name):
    """A rollout, a drained node and a scale-down let every stream finish: gateway and router wait for it."""
    defaults = {each.variable: each.default for service in SERVICES for each in settings_of(service)}
    longest_s = float(defaults["GATEWAY_REQUEST_TIMEOUT_S"])
    for service, variable, cut_s in (("gateway", "GATEWAY_GRACE_S", 10.0), ("router", "ROUTER_GRPC_GRACE_S", 0.0)):
        [program] = pods(name)[service]["spec"]["containers"]
        own_s = float({each["name"]: each.get("value", "") for each in program["env"]}[variable])
        pre_stop_s = program["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert own_s - cut_s > longest_s
        assert pods(name)[service]["spec"]["terminationGracePeriodSeconds"] > own_s + pre_stop_s


def test_metrics_that_scale_are_measured_and_adapted(name):
    """Each is declared by a service, and the adapter's rule answers for it."""
    declared = (KUSTOMIZE.parents[1] / "docs" / "metrics.md").read_text()
    adapter = yaml.safe_load((KUSTOMIZE / "components/scale-by-load/adapter-rules.yaml").read_text())
    [rule] = adapter["rules"]["custom"]
    [served] = re.findall(r'__name__=~"([^"]*)"', rule["seriesQuery"])
    used = {
        metric["pods"]["metric"]["name"]
        for each in of_kind(name, "HorizontalPodAutoscaler")
        for metric in each["spec"]["metrics"]
        if metric["type"] == "Pods"
    }

    assert len(used) == (2 if name == "overlays/production" else 0)
    assert all(f"| `{metric}` |" in declared and re.fullmatch(served, metric) for metric in used)


def test_the_public_address_is_the_issuers(name):
    """Where people come in and who issues tokens is one host, and behind it is the gateway."""
    [issuer] = [each["data"]["AUTH_OAUTH_ISSUER"] for each in of_kind(name, "ConfigMap") if "auth" in str(each)[:400]]
    for ingress in of_kind(name, "Ingress"):
        [rule] = ingress["spec"]["rules"]
        [path] = rule["http"]["paths"]
        assert issuer == f"https://{rule['host']}"
        assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]
        assert path["backend"]["service"] == {"name": "gateway", "port": {"name": "http"}}
        assert float(ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-read-timeout"]) > 600


def test_what_is_scraped_is_a_port_of_every_program(name):
    """The monitor selects all four, by a port that they have."""
    for monitor in of_kind(name, "PodMonitor"):
        [endpoint] = monitor["spec"]["podMetricsEndpoints"]
        chosen = {owner for owner, pod in pods(name).items() if selects(monitor["spec"]["selector"], pod)}
        assert chosen == set(SERVICES)
        assert all(ports_of(pods(name)[owner])[endpoint["port"]] == METRICS_PORT for owner in chosen)
