"""/unsubscribe: the link that ends mails (RFC 8058), as mail programs post to it and as people see it."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response

from servicekit.errors import ServiceError
from services.gateway.clients.notifications.client import NotificationClient
from services.gateway.edge.problems import status_of
from services.gateway.edge.request_context import Context, RequestContext
from services.gateway.identity.access import Needs, Open
from services.gateway.pages.answers import is_for_people, language_of, lone_page
from services.gateway.pages.language import LANGUAGES

PATH: Final = "/unsubscribe"
NEEDS: Final[Needs] = {PATH: Open.EVERYONE}
Token = Annotated[str, Query(min_length=1, max_length=512)]
Lang = Annotated[str, Query(description="`ru` or `en`; else what the browser wishes.", max_length=64)]


def unsubscribe_router(notifications: NotificationClient) -> APIRouter:
    """Return the routes: looking at the link changes nothing, since scanners of mail look."""
    router = APIRouter(tags=["notifications"])

    @router.get(PATH, response_class=HTMLResponse)
    async def ask(context: Context, token: Token, lang: Lang = "") -> Response:
        """Show the button that ends mails."""
        return _page(context, token, lang, "ask")

    @router.post(PATH, response_class=HTMLResponse)
    async def unsubscribe(context: Context, token: Token, lang: Lang = "") -> Response:
        """End mails: by the button, or by a mail program itself."""
        try:
            await notifications.unsubscribe(token, context.call)
        except ServiceError as exc:
            # Programs are told as everywhere.
            if not is_for_people(context):
                raise
            status = status_of(exc)
            return _page(context, token, lang, "wrong" if status < 500 else "later", status)
        return _page(context, token, lang, "done")

    return router


def _page(context: RequestContext, token: str, lang: str, says: str, status: int = 200) -> Response:
    """Return the page that asks, or says what came of it."""
    language = language_of(context, lang)
    switches = [(each, _address(token, each)) for each in LANGUAGES] if says == "ask" else []
    values = {"says": says, "action": _address(token, language)}
    return lone_page(context, "unsubscribe.html", values, language=language, status=status, switches=switches)


def _address(token: str, language: str) -> str:
    return f"{PATH}?{urlencode({'token': token, 'lang': language})}"
