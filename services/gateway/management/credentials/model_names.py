"""/v1/users/me/model-names and /v1/keys/{id}/model-names: which model is meant by a name."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends

from services.gateway.clients.auth import AuthClient
from services.gateway.clients.catalog import Catalog, CatalogWatch
from services.gateway.edge.reading.json_body import invalid_field, json_of
from services.gateway.edge.request_context import Context
from services.gateway.identity.access import Needs, Scope
from services.gateway.identity.step_up import StepUp
from services.gateway.management.bodies import ModelNamesBody

Given = Annotated[ModelNamesBody, Depends(json_of(ModelNamesBody))]
OF_USER: Final = "/v1/users/me/model-names"
OF_KEY: Final = "/v1/keys/{key_id}/model-names"

NEEDS: Final[Needs] = {
    f"GET {OF_USER}": Scope.KEYS_READ,
    f"PUT {OF_USER}": Scope.KEYS_WRITE,
    f"GET {OF_KEY}": Scope.KEYS_READ,
    f"PUT {OF_KEY}": Scope.KEYS_WRITE,
}


def model_names_router(auth: AuthClient, catalog: CatalogWatch, step_up: StepUp) -> APIRouter:
    """Return the routes; the models of names are those of the catalogue."""
    router = APIRouter(tags=["keys"])

    @router.get(OF_USER, response_model=ModelNamesBody)
    async def get_names(context: Context) -> dict[str, Any]:
        """Return which models are meant by which names, whatever key is used."""
        return {"names": await auth.model_names(context.known_caller.user_id, "", context.call)}

    @router.put(OF_USER, response_model=ModelNamesBody)
    async def set_names(context: Context, body: Given) -> dict[str, Any]:
        """Replace them; gateways follow within seconds."""
        step_up.check(context.known_caller)
        names = by_id(body.names, catalog.current())
        return {"names": await auth.set_model_names(context.known_caller.user_id, "", names, context.call)}

    @router.get(OF_KEY, response_model=ModelNamesBody)
    async def get_names_of_key(context: Context, key_id: str) -> dict[str, Any]:
        """Return which models are meant by which names where this key is used."""
        return {"names": await auth.model_names(context.known_caller.user_id, key_id, context.call)}

    @router.put(OF_KEY, response_model=ModelNamesBody)
    async def set_names_of_key(context: Context, key_id: str, body: Given) -> dict[str, Any]:
        """Replace them; they count before those of the account, and go on with the key's successors."""
        step_up.check(context.known_caller)
        names = by_id(body.names, catalog.current())
        return {"names": await auth.set_model_names(context.known_caller.user_id, key_id, names, context.call)}

    return router


def by_id(names: dict[str, str], catalog: Catalog) -> dict[str, str]:
    """Return the names with the ids of the models that are meant; a name of the catalogue stands for its id too.

    Raises:
        InvalidRequest: the catalogue has no such model.
    """
    meant = {}
    for name, given in names.items():
        model, own = catalog.find(given), catalog.find(name)
        if model is None:
            problem = f"The model `{given[:128]}` does not exist. See GET /v1/models"
            raise invalid_field(f"names.{name[:64]}", problem)
        meant[name if own is None else own.id] = model.id
    return meant
