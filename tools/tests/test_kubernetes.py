"""The Kubernetes base is valid and agrees with the settings classes."""

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tools.settings_catalog import settings_of, variables_of

BASE = Path(__file__).parents[2] / "deploy" / "k8s" / "base"
SERVICES = ("auth", "router", "usage", "gateway")
KUBERNETES = "1.32"
# The kustomization is no resource, and a patch is a part of one: the build covers both.
FILES = sorted(
    str(file.relative_to(BASE))
    for file in BASE.rglob("*.yaml")
    if file.name != "kustomization.yaml" and not file.name.endswith("-patch.yaml")
)
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl builds the kustomization")


def documents(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document]


@cache
def built() -> list[dict[str, Any]]:
    """What `kubectl apply -k` would send."""
    command = ["kubectl", "kustomize", str(BASE)]
    return documents(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def workload(service: str) -> dict[str, Any]:
    folder = BASE / service
    file = folder / ("statefulset.yaml" if service == "gateway" else "deployment.yaml")
    found: dict[str, Any] = documents(file.read_text())[0]["spec"]["template"]["spec"]
    return found


def program(service: str) -> dict[str, Any]:
    found: dict[str, Any] = workload(service)["containers"][0]
    return found


def environment(service: str) -> dict[str, str]:
    """Names and plain values of the pod, from its own list and from its ConfigMap."""
    maps: dict[str, dict[str, str]] = {
        each["metadata"]["name"]: each["data"] for each in documents((BASE / "config.yaml").read_text())
    }
    listed: dict[str, str] = {each["name"]: each.get("value", "") for each in program(service)["env"]}
    return listed | maps[f"razvilka-{service}"]


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_valid(name):
    """By the schemas of the Kubernetes release, unknown fields refused."""
    for document in documents((BASE / name).read_text()):
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


@needs_kubectl
def test_the_build_is_valid_and_complete():
    """With the patches applied, each service has all it needs."""
    for document in built():
        kubernetes_validate.validate(document, KUBERNETES, strict=True)

    kinds = {(document["kind"], document["metadata"]["name"]) for document in built()}
    for service in SERVICES:
        kind = "StatefulSet" if service == "gateway" else "Deployment"
        wanted = {(kind, service), ("Service", service), ("PodDisruptionBudget", service), ("ServiceAccount", service),
                  ("HorizontalPodAutoscaler", service), ("NetworkPolicy", service)}  # fmt: skip
        assert wanted <= kinds
        assert service == "gateway" or ("Job", f"{service}-migrate") in kinds


@needs_kubectl
def test_every_pod_is_locked_down():
    """No root, no capabilities, nothing to write but /tmp and the journal."""
    pods = [
        each["spec"]["template"]["spec"] for each in built() if each["kind"] in ("Deployment", "StatefulSet", "Job")
    ]

    assert len(pods) == 7
    for pod in pods:
        security = pod["containers"][0]["securityContext"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        # Kubernetes would otherwise set GATEWAY_PORT=tcp://... in every pod.
        assert pod["enableServiceLinks"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}


@needs_kubectl
@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_is_given_longer_to_stop_than_it_takes(service):
    """preStop and the program's own grace fit into the pod's."""
    pod = next(
        each["spec"]["template"]["spec"]
        for each in built()
        if each["metadata"]["name"] == service and each["kind"] in ("Deployment", "StatefulSet")
    )
    defaults = {each.variable: each.default for each in settings_of(service)}
    name = "GATEWAY_GRACE_S" if service == "gateway" else f"{service.upper()}_GRPC_GRACE_S"
    own_s = float(environment(service).get(name) or defaults[name])
    pre_stop_s = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert pod["terminationGracePeriodSeconds"] > own_s + pre_stop_s


@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_exists_in_the_settings_class(service):
    """A typo in a name would silently leave the default."""
    assert set(environment(service)) - variables_of(service) == set()


@pytest.mark.parametrize("service", SERVICES)
def test_every_required_setting_is_given(service):
    """Nothing is left that stops the start."""
    required = {each.variable for each in settings_of(service) if each.required}

    assert required - set(environment(service)) == set()


@pytest.mark.parametrize("service", ["auth", "router", "usage"])
def test_ports_agree(service):
    """Settings, container, Service, probe and the gateway's target name one port."""
    port = int(environment(service)[f"{service.upper()}_GRPC_PORT"])
    exposed = documents((BASE / service / "service.yaml").read_text())[0]["spec"]["ports"]

    assert {"name": "grpc", "containerPort": port} in program(service)["ports"]
    assert program(service)["readinessProbe"]["grpc"]["port"] == port
    assert [each["port"] for each in exposed if each["name"] == "grpc"] == [port]
    assert environment("gateway")[f"GATEWAY_{service.upper()}_TARGET"] == f"dns:///{service}:{port}"


def test_the_gateways_journal_is_on_its_own_disk():
    """What is not yet shipped survives the pod."""
    mounts = {each["name"]: each["mountPath"] for each in program("gateway")["volumeMounts"]}

    assert environment("gateway")["GATEWAY_JOURNAL_DIR"] == mounts["journal"]


def test_the_job_that_ships_journals_finds_them_where_the_gateway_keeps_them():
    """A valid manifest with the gateway's volume, path, targets and account, as locked down as every pod."""
    [job] = documents((BASE.parent / "jobs" / "ship-journals.yaml").read_text())
    kubernetes_validate.validate(job, KUBERNETES, strict=True)
    pod = job["spec"]["template"]["spec"]
    given = {each["name"]: each.get("value", "") for each in pod["containers"][0]["env"]}
    [mounted] = [each["mountPath"] for each in pod["containers"][0]["volumeMounts"] if each["name"] == "journal"]

    assert pod["containers"][0]["args"][2:] == ["services.gateway", "ship-journals", mounted]
    assert mounted == environment("gateway")["GATEWAY_JOURNAL_DIR"]
    assert {name: environment("gateway")[name] for name in given} == given
    assert pod["serviceAccountName"] == workload("gateway")["serviceAccountName"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
