"""What the routes of batches need."""

from __future__ import annotations

from typing import Final

from services.gateway.identity.access import Needs, Scope

BATCHES: Final = "/v1/batches"
BATCH: Final = "/v1/batches/{batch_id}"
CANCEL: Final = "/v1/batches/{batch_id}/cancel"

NEEDS: Final[Needs] = dict.fromkeys((BATCHES, BATCH, CANCEL), Scope.COMPLETIONS_WRITE)
