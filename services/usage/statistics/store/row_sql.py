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
    Dimension.TAG: "tag",
}
# What the rollup of tags has of a request: each of its tags, and '' once. One without tags is not in it.
TAGS_OF_ROW: Final = (
    "CROSS JOIN LATERAL (SELECT '' AS tag UNION ALL"
    " SELECT name || '=' || value FROM jsonb_each_text(metadata) AS pair (name, value)) AS tags"
)
HAS_TAGS: Final = "metadata <> '{}'"
# A row without tags is kept, as the group ''.
TAGS_OR_NONE: Final = (
    "LEFT JOIN LATERAL (SELECT name || '=' || value AS tag FROM jsonb_each_text(metadata) AS pair (name, value)) "
    "AS tags ON true"
)
UNTAGGED: Final = "coalesce(tag, '')"
# The first part finds the index of the rows that have tags.
HAS_TAG: Final = (
    "(metadata <> '{{}}' AND EXISTS (SELECT FROM jsonb_each_text(metadata) AS t (k, v) WHERE k || '=' || v = ANY({})))"
)


def expression_of(dimension: Dimension) -> str:
    """Return how a row says its value of the dimension."""
    return COLUMN_OF[dimension]


def condition_of(dimension: Dimension, parameter: str) -> str:
    """Return the condition that the value is one of the parameter's texts."""
    if dimension is Dimension.TAG:
        return HAS_TAG.format(parameter)
    return f"{COLUMN_OF[dimension]} = ANY({parameter})"
