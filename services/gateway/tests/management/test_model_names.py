"""Which model is meant by a name, as owners of keys say it."""

from __future__ import annotations

from services.gateway.tests.backends import SCOPES, Backends, caller
from services.gateway.tests.conftest import Edge

OF_USER, OF_KEY = "/v1/users/me/model-names", "/v1/keys/key-1/model-names"


async def test_names_are_kept_by_the_ids_of_models(edge: Edge, backends: Backends) -> None:
    """For the account and for a key, each by itself; a name of the catalogue stands for its id."""
    backends.auth.callers = dict.fromkeys(backends.auth.callers, caller(scopes=[*SCOPES, "keys:read", "keys:write"]))
    given = {"names": {"gpt-4o": "yandexgpt", "yandexgpt": "gigachat/pro", "*": "yandexgpt:latest"}}

    told = await edge.client.put(OF_KEY, json=given)
    of_key, of_user = await edge.client.get(OF_KEY), await edge.client.get(OF_USER)

    kept = {"gpt-4o": "yandexgpt:latest", "yandexgpt:latest": "gigachat-pro", "*": "yandexgpt:latest"}
    assert (told.status_code, told.json()) == (200, {"names": kept}), told.text
    assert (of_key.json(), of_user.json()) == ({"names": kept}, {"names": {}})
    wrong = await edge.client.put(OF_USER, json={"names": {"gpt-4o": "none"}})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "names.gpt-4o")
    assert (await edge.client.put(OF_USER, json={"nmaes": {}})).status_code == 400


async def test_names_need_the_scopes_of_keys(edge: Edge) -> None:
    """Whoever may only ask models may not say what they are."""
    for path in (OF_USER, OF_KEY):
        assert (await edge.client.get(path)).status_code == 403
        assert (await edge.client.put(path, json={"names": {}})).status_code == 403
