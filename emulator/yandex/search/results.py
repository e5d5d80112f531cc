"""How results are written: XML as the search has had it for twenty years, or a page for people."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import Final

from emulator.yandex.search.toy_web import FOUND, Document

_HEAD: Final = '<?xml version="1.0" encoding="utf-8"?>\n<yandexsearch version="1.0">'
_NOTHING: Final = '<error code="15">Искомая комбинация слов нигде не встречается</error>'


def xml(query: str, page: int, groups: list[list[Document]], request_id: str, docs: Iterable[str]) -> bytes:
    """Return a page of results; `docs` are the written documents in the order of the groups."""
    written = iter(docs)
    parts = ["".join(next(written) for _ in group) for group in groups]
    rows = "".join(f"<group><doccount>{len(g)}</doccount>{part}</group>" for g, part in zip(groups, parts, strict=True))
    request = f"<request><query>{escape(query)}</query><page>{page}</page></request>"
    counts = f'<found priority="all">{FOUND}</found><found-docs-human>Нашлось {FOUND} результатов</found-docs-human>'
    results = f"{counts}<results><grouping>{rows}</grouping></results>" if groups else _NOTHING
    body = f"{request}<response><reqid>{request_id}</reqid>{results}</response></yandexsearch>"
    return (_HEAD + body).encode()


def page_doc(doc: Document, passages: int) -> str:
    """Return a found page as XML."""
    texts = "".join(f"<passage>{escape(text)}</passage>" for text in doc.passages[:passages])
    properties = f"<properties><lang>{doc.lang}</lang></properties>"
    return f"<doc>{_address(doc)}<title>{_title(doc)}</title>{properties}<passages>{texts}</passages></doc>"


def image_doc(doc: Document, kind: str) -> str:
    """Return a found picture as XML; `kind` is png, jpeg or gif."""
    size = f"<original-width>{doc.width}</original-width><original-height>{doc.height}</original-height>"
    properties = f"<image-properties>{size}<mime-type>{kind}</mime-type></image-properties>"
    return f"<doc>{_address(doc)}{properties}</doc>"


def html(query: str, docs: list[Document]) -> bytes:
    """Return the page that a person would see."""
    rows = "".join(f'<li><a href="{doc.url}">{escape(doc.title)}</a></li>' for doc in docs)
    return (
        f"<!DOCTYPE html><html><head><title>{escape(query)}</title></head><body><ol>{rows}</ol></body></html>".encode()
    )


def _address(doc: Document) -> str:
    changed = datetime.fromtimestamp(doc.changed_at, UTC).strftime("%Y%m%dT%H%M%S")
    return f"<url>{doc.url}</url><domain>{doc.domain}</domain><modtime>{changed}</modtime>"


def _title(doc: Document) -> str:
    """Return the title with the words of the query marked."""
    query, _, rest = doc.title.partition(": ")
    return f"<hlword>{escape(query)}</hlword>: {escape(rest)}"
