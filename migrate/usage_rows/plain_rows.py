"""PlainRows: usage rows all of whose values are of the plain shape, straight into the form that COPY takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, TypeAlias, TypeVar

from migrate.fates.records import Request
from migrate.fates.requests import Names
from migrate.rules.identifiers import read_id
from migrate.rules.plain import PlainTimes, plain_cost, plain_id, plain_tokens
from migrate.rules.texts import read_model, read_provider
from migrate.rules.times import EPOCH, Reading
from migrate.rules.verdict import Kept, Text
from migrate.source.tables import TABLES, Table
from services.usage.importing.copy_rows import NO_TAGS, micros_of, text_field, texts_of

PlainRow: TypeAlias = tuple[bytes, int, int, int, int, bytes]
"""Id, microseconds since 2000, tokens in and out, micro-roubles, and the texts as fields: what `copy_row` takes."""

_COLUMNS: Final = (*TABLES["usage"][0], *TABLES["usage"][1])
# Users and models come again and again; of more than so many only the last are remembered.
MAX_KNOWN: Final = 50_000
SINCE_2000: Final = micros_of(EPOCH)
K = TypeVar("K")


class PlainRows:
    """Reads rows as `Scan.cells` yields them; what it does not read goes the slow way, and may be as good.

    Attributes:
        times: reads moments.
    """

    def __init__(self, table: Table, reading: Reading, names: Names, special: AbstractSet[str]) -> None:
        """`special` are ids of users whose rows must go the slow way: their account is not theirs."""
        self._begin = len(table.key)
        self._end = self._begin + len(_COLUMNS)
        # Without one of the columns each row is repaired.
        self._is_possible = table.columns == _COLUMNS
        self._nothing = (None,) * len(table.unknown)
        self.times = PlainTimes(reading)
        self._users: dict[str, bytes] = {}
        self._models: dict[tuple[str, str], bytes] = {}
        self._names = names
        self._special = special

    def read(self, cells: Sequence[object]) -> PlainRow | None:
        """Return the row, unless something in it is not plain."""
        if cells[self._end :] != self._nothing or not self._is_possible:
            return None
        id_, user_id, model, tokens_input, tokens_output, cost, created_at, provider = cells[self._begin : self._end]
        user, models = self.user(user_id), self.model(provider, model)
        tokens_in, tokens_out = plain_tokens(tokens_input), plain_tokens(tokens_output)
        if user is None or models is None or tokens_in is None or tokens_out is None:
            return None
        micro_rub, raw = plain_cost(cost), plain_id(id_)
        if micro_rub is None or raw is None or (micros := self.times.micros(created_at)) is None:
            return None
        return raw, micros + SINCE_2000, tokens_in, tokens_out, micro_rub, user + models

    def named(self, columns: Sequence[Sequence[Any]], nothing: Sequence[None]) -> Sequence[Sequence[Any]] | None:
        """Return the columns of a piece that 1.0 has, unless another column has something or one is missing."""
        has_more = any(column != nothing for column in columns[self._end :])
        return columns[self._begin : self._end] if self._is_possible and not has_more else None

    def user(self, cell: object) -> bytes | None:
        """Return an id of a user as a field."""
        # Keys are texts: no number or BLOB is equal to one.
        return self._users.get(cell) or self._user(cell)  # type: ignore[call-overload]

    def model(self, provider: object, model: object) -> bytes | None:
        """Return the fields behind a user's."""
        return self._models.get((provider, model)) or self._model(provider, model)  # type: ignore[arg-type]

    def _user(self, cell: object) -> bytes | None:
        if type(cell) is not str:
            return None
        found = read_id(Text(cell.encode()), "user")
        if not isinstance(found, Kept) or found.value in self._special:
            return None
        return _known(self._users, cell, text_field(found.value))

    def _model(self, provider: object, model: object) -> bytes | None:
        if type(provider) is not str or type(model) is not str:
            return None
        at = read_provider(Text(provider.encode()), self._names.providers)
        found = read_model(Text(model.encode()), self._names.models)
        if not isinstance(at, Kept) or not isinstance(found, Kept):
            return None
        fields = b"".join(map(text_field, (at.value, found.value, model))) + NO_TAGS
        return _known(self._models, (provider, model), fields)


def row_of(request: Request, tags: Mapping[str, str]) -> PlainRow:
    """Return what COPY takes of a request that went the slow way."""
    texts = texts_of(request.user_id, request.provider, request.model, request.requested_model, tags)
    amounts = (request.tokens_input, request.tokens_output, request.cost_micro_rub)
    return request.id.bytes, micros_of(request.created_at), *amounts, texts


def _known(known: dict[K, bytes], key: K, fields: bytes) -> bytes:
    if len(known) >= MAX_KNOWN:
        known.clear()
    known[key] = fields
    return fields
