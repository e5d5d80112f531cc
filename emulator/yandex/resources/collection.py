"""Things that a folder keeps at Yandex: made, read by pages, changed field by field, deleted, expired."""

from typing import Any, Final

from emulator.core import Core
from emulator.kept import Kept
from emulator.yandex.resources.service import ACCOUNT, Asked
from emulator.yandex.surface import timestamp

DAY_S: Final = 86_400
PAGE: Final = 100
LARGEST_PAGE: Final = 1_000
_DEFAULT_EXPIRATION: Final = {"expirationPolicy": "SINCE_LAST_ACTIVE", "ttlDays": "7"}


class Resources:
    """All things of one kind, in the form that they are answered in."""

    def __init__(self, core: Core, label: str, prefix: str, key: str = "id", *, expires: bool = False) -> None:
        """Name the kind as errors do; ids begin with `prefix` and stand in the field `key`."""
        self._core, self._label, self._prefix, self._key, self._expires = core, label, prefix, key, expires
        self._kept: Kept[dict[str, Any]] = Kept()

    def new_id(self) -> str:
        """Return an id for one more."""
        return self._prefix + self._core.new_id().replace("-", "")[-17:]

    def create(self, asked: Asked, **fields: Any) -> dict[str, Any]:
        """Keep a thing with the request's name, description and labels, and these fields."""
        now = timestamp(self._core.now())
        common = {name: asked.fields[name] for name in ("name", "description", "labels") if asked.fields.get(name)}
        dates = {"createdBy": ACCOUNT, "createdAt": now, "updatedBy": ACCOUNT, "updatedAt": now}
        found = {self._key: self.new_id(), "folderId": asked.folder, **common, **dates, **fields}
        if self._expires:
            found["expirationConfig"] = asked.fields.get("expirationConfig") or _DEFAULT_EXPIRATION
            self._use(found)
        return self._kept.put(found[self._key], found)

    def named(self, asked: Asked, object_id: str) -> dict[str, Any]:
        """Return the folder's thing, which counts as a use of it, or refuse."""
        found = self._kept.get(object_id)
        if found is None or found["folderId"] != asked.folder or self._is_over(found):
            raise asked.refuse(404, f"{self._label} {object_id} not found")
        if found.get("expirationConfig", {}).get("expirationPolicy") == "SINCE_LAST_ACTIVE":
            self._use(found)
        return found

    def all(self, asked: Asked) -> list[dict[str, Any]]:
        """Return everything that the folder has."""
        return [one for one in self._kept if one["folderId"] == asked.folder and not self._is_over(one)]

    def page(self, asked: Asked) -> tuple[list[dict[str, Any]], str]:
        """Return a page of it, and the token of the next one."""
        return paged(asked, self.all(asked))

    def update(self, asked: Asked, object_id: str) -> dict[str, Any]:
        """Set the fields that the mask names, to nothing when they were not sent."""
        found = self.named(asked, object_id)
        for path in filter(None, asked.text("updateMask").split(",")):
            name, _, inner = path.partition(".")
            sent = asked.fields.get(name)
            if inner:
                sent = {**found.get(name, {}), inner: (sent or {}).get(inner)}
            found[name] = sent if sent is not None else {} if name == "labels" else ""
        found |= {"updatedBy": ACCOUNT, "updatedAt": timestamp(self._core.now())}
        if self._expires:
            self._use(found)
        return found

    def delete(self, asked: Asked, object_id: str) -> dict[str, Any]:
        """Forget the thing; return what it was."""
        found = self.named(asked, object_id)
        self._kept.drop(object_id)
        return found

    def _use(self, found: dict[str, Any]) -> None:
        lives_s = int(found["expirationConfig"].get("ttlDays") or 7) * DAY_S
        found["expiresAt"] = timestamp(self._core.now() + lives_s)

    def _is_over(self, found: dict[str, Any]) -> bool:
        # Both are UTC in the same form, so that the order of letters is that of time.
        return bool(self._expires and found["expiresAt"] <= timestamp(self._core.now()))


def paged(asked: Asked, found: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
    """Return a page and a token; there is one behind every page but an empty one, as clients go on until then."""
    size = asked.number("pageSize", PAGE)
    if not 0 < size <= LARGEST_PAGE:
        raise asked.refuse(400, f"page_size must be in range [0, {LARGEST_PAGE}]")
    token = asked.text("pageToken")
    if not (token or "0").isdecimal():
        raise asked.refuse(400, "page_token is invalid")
    start = int(token or 0)
    page = found[start : start + size]
    return page, str(start + len(page)) if page else ""
