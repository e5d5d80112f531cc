"""What statements about rows and rollups are made of: the dimensions and the conditions.

A rollup's columns have the names that they have in rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.usage.statistics.domain.query import Dimension

COLUMN_OF: Final[Mapping[Dimension, str]] = {
    Dimension.PROVIDER: "provider",
    Dimension.MODEL: "split_part(model, ':', 1)",
    Dimension.VERSION: "model",
    Dimension.KEY: "key_id",
    Dimension.APP: "client_id",
    Dimension.STATUS: "status",
    Dimension.ENDPOINT: "endpoint",
    Dimension.ERROR: "error_code",
    Dimension.USER: "user_id",
}
# A row without tags is kept, as the group ''.
TAGS_OF_ROW: Final = (
    "LEFT JOIN LATERAL (SELECT name || '=' || value AS tag FROM jsonb_each_text(metadata) AS pair (name, value)) "
    "AS tags ON true"
)
TAG: Final = "coalesce(tag, '')"
HAS_TAG: Final = "EXISTS (SELECT FROM jsonb_each_text(metadata) AS t (k, v) WHERE k || '=' || v = ANY({}))"


def expression_of(dimension: Dimension) -> str:
    """Return how a row says its value of the dimension."""
    return TAG if dimension is Dimension.TAG else COLUMN_OF[dimension]


def condition_of(dimension: Dimension, parameter: str) -> str:
    """Return the condition that the value is one of the parameter's texts."""
    if dimension is Dimension.TAG:
        return HAS_TAG.format(parameter)
    return f"{COLUMN_OF[dimension]} = ANY({parameter})"
