"""Which model is meant by a name, where the caller's key or account says so: pins, defaults, names of other providers.

"*"        whatever is asked for; vectors are left alone by a pin to a chat model, and the other way round
"default"  where nothing is asked for
else       what the caller writes, or the id of the model that this stands for
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.gateway.clients.caller import Caller
from services.gateway.clients.catalog import Catalog, Model

ANY: Final = "*"
DEFAULT: Final = "default"


def default_model(caller: Caller) -> str:
    """Return the model that stands where none is named; empty: there is none."""
    return caller.model_names.get(DEFAULT) or caller.model_names.get(ANY, "")


def meant(catalog: Catalog, names: Mapping[str, str], asked: str, kind: str) -> Model:
    """Return the model that is meant by what was asked for, checked to be of this kind.

    Raises:
        NotFound: there is none.
        InvalidRequest: it does something else.
    """
    found = catalog.find(asked)
    by_name = names.get(asked) or (names.get(found.id) if found is not None else None)
    pinned = catalog.find(names[ANY]) if ANY in names else None
    if by_name is None and pinned is not None and pinned.kind == kind:
        return pinned
    return catalog.get_kind(by_name or asked, kind)
