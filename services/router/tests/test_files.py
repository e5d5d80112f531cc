"""Pictures that models made: named for their owner, whole or streamed, and for nobody else."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from razvilka.router.v1 import router_pb2 as pb

from emulator.gigachat.files import PICTURE
from emulator.testing import GIGACHAT_SCOPE, RunningEmulator
from servicekit import rpc_client
from servicekit.errors import ErrorReason, NotFound, ServiceError
from services.router.domain.completion import ContentPart, ToolChoice
from services.router.domain.file_id import FileIds
from services.router.providers.gigachat.made_files import MadeFiles
from services.router.providers.registry import PooledGigaChat
from services.router.tests.adapters import FILE_IDS, LONG_S, Adapters, ask, call_for, open_adapters
from services.router.tests.providers.bodies import parts
from services.router.tests.running_router import Stub, complete, prompt, stream, text_of

FILE = UUID("b28fbd0c-1d1d-4f1a-8f3a-0123456789ab")
SECOND_KEY = "c2Vjb25kOnNlY3JldA=="
DRAW = pb.ToolChoice(mode="auto")


async def get(stub: Stub, owner: str, file_id: str, *, with_content: bool = True) -> pb.GetFileResponse:
    request = pb.GetFileRequest(owner=owner, file_id=file_id, with_content=with_content)
    answer: pb.GetFileResponse = await rpc_client.unary(stub.rpcs.GetFile, request, deadline_s=LONG_S)
    return answer


async def drawn(stub: Stub, owner: str = "user-1", *, streamed: bool = False) -> str:
    """Have a picture made and return its id as the caller reads it."""
    asked = prompt("gigachat", "Нарисуй карту [[picture]][[chunks:30]]", tenant=owner, tool_choice=DRAW)
    text = text_of(await stream(stub, asked)) if streamed else (await complete(stub, asked)).choices[0].content
    found = re.fullmatch(r'<img src="([\w-]+)" fuse="true"/> Вот что получилось\.', text)
    assert found, text
    return found[1]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_picture_can_be_fetched_by_its_owner(stub: Stub, streamed: bool) -> None:
    """By the id that stood in the answer, in however many pieces that came."""
    file_id = await drawn(stub, streamed=streamed)

    content = await get(stub, "user-1", file_id)
    facts = await get(stub, "user-1", file_id, with_content=False)

    assert file_id.startswith("file-")
    assert len(file_id) <= 64
    assert (content.content, content.mime, content.size_bytes) == (PICTURE, "image/jpeg", len(PICTURE))
    assert (facts.name, facts.size_bytes, facts.content) == ("generated.jpg", len(PICTURE), b"")
    assert facts.created_at.seconds > 1_700_000_000


async def test_nobody_else_can_fetch_it(stub: Stub) -> None:
    """Nor can it be told from a file that never was."""
    file_id = await drawn(stub)

    for owner, wanted in (("user-2", file_id), ("", file_id), ("user-1", "file-unknown"), ("user-1", str(FILE))):
        with pytest.raises(NotFound) as caught:
            await get(stub, owner, wanted)
        assert (caught.value.reason, caught.value.message) == (ErrorReason.NOT_FOUND, "There is no such file.")


async def test_a_deleted_file_is_gone(stub: Stub, emulator: RunningEmulator) -> None:
    """At the provider, too; another's request ends nothing."""
    file_id = await drawn(stub)

    with pytest.raises(NotFound):
        await rpc_client.unary(
            stub.rpcs.DeleteFile, pb.DeleteFileRequest(owner="user-2", file_id=file_id), deadline_s=LONG_S
        )
    await get(stub, "user-1", file_id)
    await rpc_client.unary(
        stub.rpcs.DeleteFile, pb.DeleteFileRequest(owner="user-1", file_id=file_id), deadline_s=LONG_S
    )

    with pytest.raises(NotFound):
        await get(stub, "user-1", file_id)


async def test_a_picture_can_be_shown_to_the_model_again(adapters: Adapters, emulator: RunningEmulator) -> None:
    """It lies there already: it is neither uploaded nor deleted; another's is refused by its field."""
    file_id = FILE_IDS.encode("user-1", await picture_there(adapters))
    part = ContentPart("file", json=b'{"type":"file","file":{"file_id":"%s"}}' % file_id.encode())

    await adapters.gigachat.complete(ask(messages=parts(part), tenant="user-1"), call_for("gigachat"))
    with pytest.raises(ServiceError) as caught:
        await adapters.gigachat.complete(ask(messages=parts(part), tenant="user-2"), call_for("gigachat"))

    assert caught.value.param == "messages[0].content[0].file.file_id"
    assert await emulator.control.ground_truth(provider="gigachat", operation="files") == []
    assert (await emulator.control.ground_truth(provider="gigachat", operation="chat"))[-1]["status"] == 200


@pytest.mark.parametrize("key", ["first", "second"])
async def test_a_picture_is_shown_under_whichever_key_a_call_goes_out(emulator: RunningEmulator, key: str) -> None:
    """GigaChat shows a file to the key that made it: under another one it is uploaded for the call."""
    await emulator.control.add_credential("gigachat", key=SECOND_KEY, scope=GIGACHAT_SCOPE)
    async with (
        open_adapters(emulator) as first,
        open_adapters(emulator, gigachat={"credentials": SECOND_KEY}) as second,
    ):
        pool = PooledGigaChat({"first": first.gigachat, "second": second.gigachat})
        file_id = FILE_IDS.encode("user-1", await picture_there(first))
        part = ContentPart("file", json=b'{"type":"file","file":{"file_id":"%s"}}' % file_id.encode())
        call = call_for("gigachat")
        call.credential = key

        answer = await pool.complete(ask(messages=parts(part), tenant="user-1"), call)
        gone = FILE_IDS.encode("user-1", uuid4()).encode()
        lost = ContentPart("file", json=b'{"type":"file","file":{"file_id":"%s"}}' % gone)
        with pytest.raises(ServiceError) as caught:
            await pool.complete(ask(messages=parts(lost), tenant="user-1"), call)

    assert answer.choices
    assert caught.value.param == "messages[0].content[0].file.file_id"


async def test_a_picture_that_was_deleted_is_no_missing_model(adapters: Adapters) -> None:
    """GigaChat says 404 of either; whoever is told that the model is gone looks in the wrong place."""
    file_id = FILE_IDS.encode("user-1", uuid4())
    part = ContentPart("file", json=b'{"type":"file","file":{"file_id":"%s"}}' % file_id.encode())

    with pytest.raises(ServiceError) as caught:
        await adapters.gigachat.complete(ask(messages=parts(part), tenant="user-1"), call_for("gigachat"))

    assert (caught.value.reason, caught.value.param) == (ErrorReason.INVALID_PARAMETERS, "messages")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\0", "\x85"])
async def test_names_of_files_may_hold_what_no_header_can(
    adapters: Adapters, emulator: RunningEmulator, end: str
) -> None:
    """A line end in a document's name, as copied from somewhere, is no reason for an internal error."""
    document = {"filename": f"Отчёт{end} за\u202fоктябрь.txt", "file_data": f"data:text/plain{end};base64,AAAA"}
    sound = {"data": "AAAA", "format": f"wav{end}"}
    content = parts(
        ContentPart("file", json=msgspec.json.encode({"type": "file", "file": document})),
        ContentPart("input_audio", json=msgspec.json.encode({"type": "input_audio", "input_audio": sound})),
    )

    await adapters.gigachat.complete(ask(messages=content), call_for("gigachat"))

    uploads = await emulator.control.ground_truth(provider="gigachat", operation="files")
    assert {upload["status"] for upload in uploads} == {200}


async def picture_there(adapters: Adapters) -> UUID:
    """Return the provider's id of a picture that the model has just drawn."""
    asked = ask("[[picture]]", tool_choice=ToolChoice("auto"))
    made = await adapters.gigachat.complete(asked, call_for("gigachat"))
    found = re.search(r'src="([0-9a-f-]{36})"', made.choices[0].content or "")
    assert found
    return UUID(found[1])


@given(st.data())
def test_an_id_is_found_wherever_the_network_cuts_the_text(data: st.DataObject) -> None:
    """All pieces together are the text with the id replaced, once; what only looks like a tag is left."""
    text = f'a < b, <i>x</i> <img src="{FILE}" fuse="true"/> if x<img and <img src="no"> {"<" * 3} <im'
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    made = MadeFiles(FILE_IDS, "user-1")

    said = "".join(made.feed(piece, is_last=at == len(pieces) - 1) for at, piece in enumerate(pieces))

    assert said == text.replace(str(FILE), FILE_IDS.encode("user-1", FILE))


def test_text_that_is_no_tag_is_not_held_back() -> None:
    """Code and formulas flow as they come."""
    made = MadeFiles(FILE_IDS, "user-1")

    assert [made.feed(piece, is_last=False) for piece in ("if a <", " b: List<", "int> <img", "ination", "!")] == [
        "if a ",
        "< b: List",
        "<int> ",
        "<imgination",
        "!",
    ]


def test_without_an_owner_nothing_is_named() -> None:
    """Nobody could fetch it."""
    assert MadeFiles(FILE_IDS, "").feed(f'<img src="{FILE}"/>', is_last=False) == f'<img src="{FILE}"/>'


@given(st.text(max_size=40), st.text(max_size=40), st.uuids())
def test_an_id_belongs_to_one_owner(owner: str, other: str, file: UUID) -> None:
    """And to one key."""
    file_id = FILE_IDS.encode(owner, file)

    assert FILE_IDS.decode(owner, file_id) == (file if owner else None)
    assert FILE_IDS.decode(other, file_id) == (file if owner == other and owner else None)
    assert FileIds(b"another").decode(owner, file_id) is None


@given(st.text(max_size=80))
def test_any_text_may_be_asked_for(text: str) -> None:
    """None but an id of ours is one."""
    assert FILE_IDS.decode("user-1", text) is None
    assert FILE_IDS.decode("user-1", FILE_IDS.encode("user-1", uuid4()) + text[:1]) is None or not text
