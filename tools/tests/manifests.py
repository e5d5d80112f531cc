"""What the kustomizations build, and questions about it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from tools.chart.source import KUSTOMIZE, Manifest, built

BUILDS = ("base", "overlays/small", "overlays/production")
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl builds the kustomization")
WITH_PODS = ("Deployment", "StatefulSet", "Job")


@cache
def build(name: str) -> list[Manifest]:
    """Return what `kubectl apply -k` would send of a build."""
    return built(KUSTOMIZE / name)


def of_kind(name: str, *kinds: str) -> list[Manifest]:
    """Return a build's manifests of some kinds."""
    return [each for each in build(name) if each["kind"] in kinds]


def pods(name: str) -> dict[str, dict[str, Any]]:
    """Return the pod templates of a build, by the name of who makes them."""
    return {each["metadata"]["name"]: each["spec"]["template"] for each in of_kind(name, *WITH_PODS)}


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all containers of a pod template."""
    spec = pod["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def ports_of(pod: dict[str, Any]) -> dict[str, int]:
    """Return the ports of a pod template by name."""
    return {port["name"]: port["containerPort"] for each in containers(pod) for port in each.get("ports", [])}


def selects(selector: dict[str, Any], pod: dict[str, Any]) -> bool:
    """Tell whether a label selector means a pod template."""
    labels = pod["metadata"]["labels"]
    wanted = selector.get("matchLabels", {}) if selector else {}
    expressions = selector.get("matchExpressions", [])
    assert all(each["operator"] == "In" for each in expressions)
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        labels.get(each["key"]) in each["values"] for each in expressions
    )


def references(value: Any, kind: str) -> Iterator[dict[str, Any]]:
    """Yield every reference of a kind (secretKeyRef, configMapRef, …) in a manifest, however deep."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key == kind:
                yield each
            yield from references(each, kind)
    elif isinstance(value, list):
        for each in value:
            yield from references(each, kind)
