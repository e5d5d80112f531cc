"""What the routes of files need."""

from __future__ import annotations

from typing import Final

from services.gateway.identity.access import Needs, Scope

FILES: Final = "/v1/files"
FILE: Final = "/v1/files/{file_id}"
CONTENT: Final = "/v1/files/{file_id}/content"

# Whoever may have a file made, or answered, may have it.
NEEDS: Final[Needs] = dict.fromkeys((FILES, FILE, CONTENT), Scope.COMPLETIONS_WRITE)
