"""Several credentials of one provider, from a file: read strictly, used together, and asked together for files."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from servicekit.errors import NotFound
from services.router.domain.kept_file import KeptFile
from services.router.providers import failures
from services.router.providers.gigachat.settings import GigaChatSettings, gigachat_credentials
from services.router.providers.pooled import PooledFiles
from services.router.providers.yandexgpt.settings import YandexSettings, yandex_credentials

SECRET = "AQVN-very-secret"


def yandex(folder: Path, content: str) -> dict[str, YandexSettings]:
    file = folder / "more.yaml"
    file.write_text(content)
    return yandex_credentials(
        YandexSettings(
            api_key=SECRET,
            folder_id="b1gfirst",
            base_url="https://here.example",
            concurrency=20,
            more_credentials_file=file,
        )
    )


def test_an_entry_has_its_own_credential_and_quota_and_the_addresses_of_the_first(tmp_path: Path) -> None:
    """What it does not name is the provider's default, not the first one's key or quota."""
    first, second = yandex(tmp_path, "- {folder_id: b1gsecond, iam_token: t1.x}\n").values()

    assert (first.folder_id, first.concurrency) == ("b1gfirst", 20)
    assert (second.folder_id, second.concurrency, second.base_url) == ("b1gsecond", 10, "https://here.example")
    assert second.iam_token.get_secret_value() == "t1.x"
    assert second.api_key.get_secret_value() == ""


def test_a_folder_is_counted_once_however_many_keys_open_it(tmp_path: Path) -> None:
    """The quota is the folder's."""
    assert len(yandex(tmp_path, f"- {{folder_id: b1gfirst, api_key: {SECRET}}}\n")) == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("folder_id: b1g", "must be a list of credentials"),
        ("- just text", "must be a list of credentials"),
        (f"- {{folder_id: b1g, api_key: {SECRET}", "cannot be read as YAML (ParserError)"),
        (f"- {{folder_id: {SECRET}, api_key: 2026-02-30}}", "cannot be read as YAML (ValueError)"),
        pytest.param("[" * 5000, "cannot be read as YAML (RecursionError)", id="nested without end"),
        (f"- {{folder_id: b1g, base_url: 'https://{SECRET}'}}", "entry 1: 'base_url' is none of api_key, concurrency,"),
        (f"- {{folder_id: [{SECRET}]}}", "entry 1: folder_id: Input should be a valid string"),
        ("- {folder_id: b1g}\n- {folder_id: b1h, concurrency: -1}", "entry 2: concurrency: Input should be greater"),
    ],
)
def test_a_bad_file_is_refused_by_entry_and_field_without_what_is_in_it(
    tmp_path: Path, content: str, told: str
) -> None:
    """It may hold keys, and what is told of it stands in logs."""
    with pytest.raises(SystemExit) as caught:
        yandex(tmp_path, content)

    assert str(caught.value).startswith(f"ROUTER_YANDEX_MORE_CREDENTIALS_FILE: {told}")
    assert SECRET not in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """At the start, not when the first call would go out."""
    with pytest.raises(SystemExit, match="ROUTER_GIGACHAT_MORE_CREDENTIALS_FILE: cannot be read"):
        gigachat_credentials(GigaChatSettings(more_credentials_file=tmp_path / "none.yaml"))


def test_the_quota_of_a_key_follows_its_scope_unless_it_is_told(tmp_path: Path) -> None:
    """One stream for a person, ten for a firm, as the provider says."""
    (tmp_path / "more.yaml").write_text(
        "- {credentials: a, scope: GIGACHAT_API_B2B}\n- {credentials: b, concurrency: 7}\n- {credentials: c}\n"
    )
    each = gigachat_credentials(GigaChatSettings(credentials="first", more_credentials_file=tmp_path / "more.yaml"))
    assert [one.most_at_once for one in each.values()] == [1, 10, 7, 1]


class Store:
    """Files under one key."""

    def __init__(self, *files: UUID) -> None:
        self.files = set(files)

    async def describe(self, file: UUID) -> KeptFile:
        return await self.content(file)

    async def content(self, file: UUID) -> KeptFile:
        if file not in self.files:
            raise failures.no_such_file()
        return KeptFile("picture", "image/jpeg", 1, None, b"x")

    async def delete(self, file: UUID) -> None:
        await self.content(file)
        self.files.remove(file)


async def test_a_file_is_found_under_whichever_key_made_it() -> None:
    """Described, read and deleted there; what is under none is not found."""
    here, nowhere = uuid4(), uuid4()
    second = Store(here)
    pool = PooledFiles([Store(), second])

    assert (await pool.describe(here)).name == "picture"
    assert (await pool.content(here)).content == b"x"
    await pool.delete(here)
    assert second.files == set()
    with pytest.raises(NotFound):
        await pool.content(nowhere)
