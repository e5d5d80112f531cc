"""What the routes of management need, room by room."""

from __future__ import annotations

from typing import Final

from services.gateway.identity.access import Needs
from services.gateway.management import (
    abuse,
    account,
    administration,
    catalog,
    expiring_models,
    providers,
    sessions_and_grants,
)
from services.gateway.management.credentials import changes, clients, key_info, keys, model_names
from services.gateway.management.people import routes as people

_ROOMS: Final = (
    abuse,
    account,
    administration,
    catalog,
    changes,
    clients,
    expiring_models,
    key_info,
    keys,
    model_names,
    people,
    providers,
    sessions_and_grants,
)
NEEDS: Final[tuple[Needs, ...]] = tuple(room.NEEDS for room in _ROOMS)
