"""What the chart is made of: the built base, and the resources and patches of its components."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

REPOSITORY: Final = Path(__file__).parents[2]
KUSTOMIZE: Final = REPOSITORY / "deploy" / "k8s"

Manifest = dict[str, Any]


def built(folder: Path) -> list[Manifest]:
    """Return what `kubectl apply -k` would send.

    Raises:
        subprocess.CalledProcessError: the kustomization is wrong.
        FileNotFoundError: there is no kubectl.
    """
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True)
    return documents(done.stdout)


def documents(text: str) -> list[Manifest]:
    """Return the manifests of a file."""
    return [document for document in yaml.safe_load_all(text) if document]


def resources_of(component: str) -> list[Manifest]:
    """Return the manifests that a component adds."""
    folder = KUSTOMIZE / "components" / component
    [kustomization] = documents((folder / "kustomization.yaml").read_text())
    return [each for file in kustomization.get("resources", []) for each in documents((folder / file).read_text())]


def load_metrics() -> dict[str, Manifest]:
    """Return, by autoscaler, the metric that `scale-by-load` adds to it."""
    file = KUSTOMIZE / "components" / "scale-by-load" / "kustomization.yaml"
    [kustomization] = documents(file.read_text())
    return {each["target"]["name"]: yaml.safe_load(each["patch"])[0]["value"] for each in kustomization["patches"]}
