"""Function names that GigaChat accepts: Latin letters only, and not those of its built-in functions."""

from __future__ import annotations

import re
from typing import Final

BUILT_IN: Final = frozenset(
    {
        "code_interpreter",
        "get_file_content",
        "image_generate",
        "model_3d_generate",
        "text2image",
        "text2model3d",
        "url_content_extraction",
        "web_search",
    }
)
_PREFIX: Final = "user_"
# "Latin letters only", and no digit first, says its documentation, whose own samples have underscores. In tools of
# OpenAI's clients hyphens and digits may stand anywhere, and in those of MCP servers they do.
_TAKEN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_TAKEN: Final = re.compile(r"[^A-Za-z0-9_]")


def as_taken(name: str) -> str:
    """Return the name itself, or another one if it is called like something built in, or as nothing may be."""
    fitting = _NOT_TAKEN.sub("_", name)
    return fitting if fitting not in BUILT_IN and _TAKEN.fullmatch(fitting) else _PREFIX + fitting
