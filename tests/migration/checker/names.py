"""1.1's names of providers and models, as the catalogue's files list them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import yaml

CATALOG: Final = Path(__file__).parents[3] / "services" / "router" / "catalog"


@dataclass(frozen=True, slots=True)
class Names:
    """Names of 1.1 by those of 1.0, in lower case."""

    providers: Mapping[str, str]
    models: Mapping[str, str]


@cache
def read_names(folder: Path = CATALOG) -> Names:
    """Return the names."""
    providers: dict[str, str] = {}
    models: dict[str, str] = {}
    for path in sorted(folder.glob("*.yaml")):
        document = yaml.safe_load(path.read_text())
        providers[document["provider"].lower()] = document["provider"]
        for entry in [*document.get("models", ()), *document.get("channels", ())]:
            for name in (entry["id"], *entry.get("aliases", ())):
                models.setdefault(name.lower(), entry["id"])
    return Names(providers, models)
