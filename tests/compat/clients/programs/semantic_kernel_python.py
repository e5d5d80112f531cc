"""Semantic Kernel: chat service, a plugin that is called by itself, embeddings."""

from openai import AsyncOpenAI
from pydantic import BaseModel
from semantic_kernel import Kernel
from semantic_kernel.connectors.ai import FunctionChoiceBehavior
from semantic_kernel.connectors.ai.open_ai import (
    OpenAIChatCompletion,
    OpenAIChatPromptExecutionSettings,
    OpenAITextEmbedding,
)
from semantic_kernel.contents import ChatHistory
from semantic_kernel.functions import kernel_function
from steps import (
    ASKS_FOR_TOOL,
    BASE_URL,
    EMBEDDINGS,
    ENDLESS,
    KEY,
    MODEL,
    NARROW_MODEL,
    QUESTION,
    SMALL_KEY,
    TOO_LONG,
    let_go,
    limited,
    main,
    refused,
)


class Weather(BaseModel):
    """An answer with a shape."""

    city: str
    degrees: int


class WeatherPlugin:
    """A plugin of one function."""

    def __init__(self):
        self.called = []

    @kernel_function(name="weather", description="Погода в городе")
    def weather(self, city: str) -> str:
        """Погода в городе."""
        self.called.append(city)
        return f"{city}: -5"


def client_of(key):
    return AsyncOpenAI(base_url=BASE_URL, api_key=key, max_retries=0)


def made(model=MODEL, key=KEY):
    return OpenAIChatCompletion(ai_model_id=model, async_client=client_of(key))


def asked(text=QUESTION):
    history = ChatHistory()
    history.add_user_message(text)
    return history


async def ask(service=None, text=QUESTION, **settings):
    found = OpenAIChatPromptExecutionSettings(**settings)
    return await (service or made()).get_chat_message_content(asked(text), found)


async def chat():
    assert str(await ask())


async def stream():
    pieces = made().get_streaming_chat_message_content(asked(), OpenAIChatPromptExecutionSettings())
    assert "".join([str(piece) async for piece in pieces])


async def tools():
    kernel, plugin = Kernel(), WeatherPlugin()
    kernel.add_plugin(plugin, plugin_name="city")
    settings = OpenAIChatPromptExecutionSettings(function_choice_behavior=FunctionChoiceBehavior.Auto())
    # It names a function by its plugin and itself, with a hyphen between; GigaChat is told an underscore.
    history = asked(ASKS_FOR_TOOL.replace("call:weather", "call:city_weather"))
    assert str(await made().get_chat_message_content(history, settings, kernel=kernel))
    assert plugin.called, "the kernel called no function"


async def structured():
    assert Weather.model_validate_json(str(await ask(response_format=Weather)))


async def embeddings():
    service = OpenAITextEmbedding(ai_model_id=EMBEDDINGS, async_client=client_of(KEY))
    assert len(await service.generate_embeddings(["а", "б"])) == 2


def wrong_key():
    refused(lambda: ask(made(key="rz_live_wrong")), 401)


def unknown_model():
    refused(lambda: ask(made(model="nothing")), 404)


def too_long():
    refused(lambda: ask(made(model=NARROW_MODEL), TOO_LONG), 400)


async def cancel():
    service, settings = made(key=SMALL_KEY), OpenAIChatPromptExecutionSettings()
    await let_go(service.get_streaming_chat_message_content(asked(ENDLESS), settings))


def rate_limit():
    limited(lambda: ask(made(key=SMALL_KEY)))


main(globals())
