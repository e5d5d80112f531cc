"""How conversations are retold: system messages, tool calls with their results, files."""

from __future__ import annotations

import base64
import json

import pytest
from msgspec.structs import replace

from servicekit.errors import ErrorReason, ServiceError
from services.router.domain.completion import (
    ContentPart,
    Message,
    Role,
    Tool,
    ToolCall,
)
from services.router.domain.tool_call_id import CallState
from services.router.providers.gigachat.attached.files import File, WebAddress, files_of
from services.router.providers.gigachat.messages import messages_of
from services.router.tests.adapters import IDS, ask, user
from services.router.tests.providers.bodies import AUDIO, FILE, IMAGE, body, parts, refused

SCHEMA = b'{"type":"object","properties":{"camp":{"type":"string"}},"required":["camp"]}'
CAMP = Tool("camp_distance", "how far", SCHEMA, True)
OTHER = Tool("weather", "", b"")
STATE = "77d3fb14-457a-46ba-937e-8d856156d003"


SYSTEMS = [
    Message(Role.SYSTEM, "раз"),
    user("привет"),
    Message(Role.SYSTEM, "два"),
    Message(Role.ASSISTANT, "да"),
    user(""),
    user("пока"),
]


def test_system_messages_are_joined_in_front() -> None:
    """Both providers take one; an empty message is an error at Yandex and left out."""
    native, _ = body("native", ask(messages=SYSTEMS))
    gigachat, _ = body("gigachat", ask(messages=SYSTEMS))

    assert native["messages"] == [
        {"role": "system", "text": "раз\nдва"},
        {"role": "user", "text": "привет"},
        {"role": "assistant", "text": "да"},
        {"role": "user", "text": "пока"},
    ]
    assert gigachat["messages"][0] == {"role": "system", "content": "раз\nдва"}
    assert [message["role"] for message in gigachat["messages"]] == ["system", "user", "assistant", "user", "user"]


def conversation(call_ids: list[str], results: list[str], arguments: str = '{"camp": "северная"}') -> list[Message]:
    calls = [ToolCall(call_id, "camp_distance", arguments, at) for at, call_id in enumerate(call_ids)]
    answers = [Message(Role.TOOL, str(at), tool_call_id=call_id) for at, call_id in enumerate(results)]
    return [user("далеко?"), Message(Role.ASSISTANT, tool_calls=calls), *answers]


def test_yandex_gets_results_by_name_in_one_message() -> None:
    """Its API has no ids; results go under role user."""
    made, _ = body("native", ask(messages=conversation(["a", "b"], ["a", "b"])))

    call = {"functionCall": {"name": "camp_distance", "arguments": {"camp": "северная"}}}
    assert made["messages"][1:] == [
        {"role": "assistant", "toolCallList": {"toolCalls": [call, call]}},
        {
            "role": "user",
            "toolResultList": {
                "toolResults": [
                    {"functionResult": {"name": "camp_distance", "content": "0"}},
                    {"functionResult": {"name": "camp_distance", "content": "1"}},
                ]
            },
        },
    ]


def test_gigachat_gets_several_calls_as_pairs() -> None:
    """One call a message, its result right behind it, whatever the results' order was; the state goes back."""
    first = IDS.encode(CallState("camp_distance", STATE))
    made, _ = body("gigachat", ask(messages=conversation([first, "b"], ["b", first])))

    assert [message["role"] for message in made["messages"]] == [
        "user",
        "assistant",
        "function",
        "assistant",
        "function",
    ]
    assert made["messages"][1]["functions_state_id"] == STATE
    assert "functions_state_id" not in made["messages"][3]
    assert made["messages"][1]["function_call"] == {"name": "camp_distance", "arguments": {"camp": "северная"}}
    assert [made["messages"][2]["content"], made["messages"][4]["content"]] == ['{"result":1}', '{"result":0}']


@pytest.mark.parametrize(
    ("result", "sent"),
    [
        ('{"m":400}', '{"m":400}'),
        ("четыреста", '{"result":"четыреста"}'),
        ("[1, 2]", '{"result":[1,2]}'),
        ("400", '{"result":400}'),
        ('"да"', '{"result":"да"}'),
        ("null", '{"result":null}'),
        ("", '{"result":""}'),
    ],
)
def test_gigachat_results_are_objects(result: str, sent: str) -> None:
    """Whatever else a tool says is wrapped."""
    messages = [*conversation(["a"], []), Message(Role.TOOL, result, tool_call_id="a")]
    made, _ = body("gigachat", ask(messages=messages))

    assert made["messages"][-1] == {"role": "function", "name": "camp_distance", "content": sent}


@pytest.mark.parametrize("dialect", ["native", "gigachat"])
def test_the_id_itself_names_the_function(dialect: str) -> None:
    """A caller may send a result without its call."""
    lone = [user("далеко?"), Message(Role.TOOL, "400", tool_call_id=IDS.encode(CallState("camp_distance")))]
    made, _ = body(dialect, ask(messages=lone, tools=[OTHER, CAMP]))

    assert "camp_distance" in json.dumps(made["messages"][-1])


INVALID: list[tuple[str, list[Message], str]] = [
    ("native", [user("")], "messages"),
    ("native", [user("a"), Message(Role.TOOL, "1", tool_call_id="nobody")], "messages[1].tool_call_id"),
    ("gigachat", [user("a"), Message(Role.TOOL, "1", tool_call_id="nobody")], "messages[1].tool_call_id"),
    ("gigachat", conversation(["a", "b"], ["a"]), "messages[1].tool_calls[1]"),
    ("gigachat", conversation(["a"], ["a", "b"]), "messages[1].tool_calls"),
]


@pytest.mark.parametrize(("dialect", "messages", "param"), INVALID)
def test_what_cannot_be_mapped_names_its_field(dialect: str, messages: list[Message], param: str) -> None:
    """Refused here, with the caller's own field, instead of as a riddle from the provider."""
    assert refused(dialect, ask(messages=messages)) == (ErrorReason.INVALID_PARAMETERS, param)


def test_gigachat_files_are_read_from_the_parts() -> None:
    """Images, sound and documents become uploads of their message."""
    asked = ask(messages=[user("a"), *parts(ContentPart("text", "b"), IMAGE), *parts(AUDIO, FILE)])
    found = [file for file in files_of(asked) if isinstance(file, File)]

    assert [(file.message, file.name, file.mime) for file in found] == [
        (1, "image.png", "image/png"),
        (2, "sound.wav", "audio/wav"),
        (2, "a.txt", "text/plain"),
    ]
    assert found[0].content == base64.b64decode("AAAA")


def image(url: str) -> ContentPart:
    return ContentPart("image_url", json=json.dumps({"type": "image_url", "image_url": {"url": url}}).encode())


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        # Only https is fetched, see test_web_images.
        (parts(image("http://169.254.169.254/latest/meta-data/")), ErrorReason.UNSUPPORTED_PARAMETER),
        (parts(image("data:image/png;base64,????")), ErrorReason.INVALID_PARAMETERS),
        (parts(image("data:image/png,abc")), ErrorReason.INVALID_PARAMETERS),
        (parts(image("data:image/png;base64,")), ErrorReason.INVALID_PARAMETERS),
        (parts(IMAGE) * 11, ErrorReason.UNSUPPORTED_PARAMETER),
        (parts(ContentPart("image_url", json=b'{"image_url":"x"}')), ErrorReason.INVALID_PARAMETERS),
        (parts(ContentPart("video", json=b'{"video":{}}')), ErrorReason.UNSUPPORTED_PARAMETER),
        (parts(ContentPart("image_url", json=b"{")), ErrorReason.INVALID_PARAMETERS),
    ],
)
def test_files_that_cannot_be_uploaded_are_refused(messages: list[Message], reason: ErrorReason) -> None:
    """Before anything is sent."""
    with pytest.raises(ServiceError) as caught:
        files_of(ask(messages=messages))

    assert caught.value.reason is reason


def test_an_image_at_an_address_is_fetched_later() -> None:
    """The field is kept for what may be wrong with it then."""
    (found,) = files_of(ask(messages=parts(ContentPart("text", "b"), image("HTTPS://example.org/a.png"))))

    assert found == WebAddress(0, "HTTPS://example.org/a.png", "messages[0].content[1].image_url.url")


def attached(*several: ContentPart) -> list[tuple[str, list[str]]]:
    """Return text and files of the messages that one with these parts becomes."""
    message = Message(Role.USER, parts=several)
    ids = [f"f{number}" for number, part in enumerate(several) if part.type != "text"]
    made = messages_of(ask(messages=[message]), {0: ids}, IDS, [])
    return [(turn["content"], turn["attachments"]) for turn in made]


def test_several_images_become_several_messages() -> None:
    """GigaChat takes one a message; words stay beside the image they lead to, the question stays last."""
    words = [ContentPart("text", text) for text in ("Было:", "Стало:", "Что изменилось?")]

    assert attached(words[0], IMAGE, words[1], IMAGE, words[2]) == [
        ("Было:", ["f1"]),
        ("Стало:\nЧто изменилось?", ["f3"]),
    ]
    assert attached(IMAGE, IMAGE, IMAGE) == [("", ["f0"]), ("Изображение 2", ["f1"]), ("Изображение 3", ["f2"])]
    assert attached(IMAGE, AUDIO, FILE) == [("", ["f0", "f1", "f2"])]


def test_images_beyond_ten_are_refused() -> None:
    """However they are spread over messages."""
    with pytest.raises(ServiceError, match="more than 10 images") as caught:
        files_of(ask(messages=parts(*[IMAGE] * 11)))
    assert caught.value.reason is ErrorReason.UNSUPPORTED_PARAMETER


def test_pictures_that_calls_returned_follow_the_row_of_results() -> None:
    """GigaChat's results take none: they were uploaded, and the model was never shown them."""
    calls = [ToolCall(name, "camp_distance", "{}") for name in ("a", "b")]
    results = [
        Message(Role.TOOL, parts=[ContentPart("text", "снято"), IMAGE], tool_call_id="a"),
        Message(Role.TOOL, "0", tool_call_id="b"),
    ]
    asked = ask(messages=[user("что там?"), Message(Role.ASSISTANT, tool_calls=calls), *results, user("ну?")])

    made = messages_of(asked, {2: ["f1"]}, IDS, [])
    alone = messages_of(ask(messages=[replace(results[0], name="camp_distance")]), {0: ["f1"]}, IDS, [])

    assert [turn["role"] for turn in made] == ["user", *["assistant", "function"] * 2, "user", "user"]
    assert made[2]["content"] == '{"result":"снято"}'
    assert made[5] == {"role": "user", "content": "", "attachments": ["f1"]}
    assert [turn.get("attachments") for turn in alone] == [None, ["f1"]]


@pytest.mark.parametrize(
    "message",
    [
        Message(Role.SYSTEM, parts=[ContentPart("text", "a"), IMAGE]),
        Message(Role.ASSISTANT, parts=[ContentPart("text", "a"), IMAGE], tool_calls=[ToolCall("a", "f", "{}")]),
    ],
    ids=["system", "calls"],
)
def test_a_picture_that_the_model_would_not_be_shown_is_refused(message: Message) -> None:
    """Before it is uploaded: there is no place for it in what GigaChat is told."""
    with pytest.raises(ServiceError) as caught:
        files_of(ask(messages=[user("a"), message]))

    assert (caught.value.reason, caught.value.param) == (
        ErrorReason.UNSUPPORTED_PARAMETER,
        "messages[1].content[1].type",
    )


@pytest.mark.parametrize("arguments", ["{", "[1]", "null", "camp: северная", '{"a": 1} {}'])
def test_arguments_that_nobody_can_read_are_told_as_text_to_every_provider(arguments: str) -> None:
    """A model made them, and the turn that says so follows: the loop must go on, whoever answers."""
    messages = conversation(["a"], ["a"], arguments)
    native, _ = body("native", ask(messages=messages))
    gigachat, _ = body("gigachat", ask(messages=messages))
    upstream, _ = body("upstream", ask(messages=messages))

    unreadable = {"unreadable_arguments": arguments}
    assert native["messages"][1]["toolCallList"]["toolCalls"][0]["functionCall"]["arguments"] == unreadable
    assert gigachat["messages"][1]["function_call"]["arguments"] == unreadable
    assert upstream["messages"][1]["tool_calls"][0]["function"]["arguments"] == arguments
