"""What the routes of files need."""

from __future__ import annotations

from typing import Final

from services.gateway.identity.access import Needs, Scope

FILE: Final = "/v1/files/{file_id}"
CONTENT: Final = "/v1/files/{file_id}/content"

# Whoever may have a file made may have it.
NEEDS: Final[Needs] = {FILE: Scope.COMPLETIONS_WRITE, CONTENT: Scope.COMPLETIONS_WRITE}
