"""What models say of themselves, and what goes around them: deferred answers, LangChain, logging."""

import logging
from typing import Any

from langchain_core.messages import HumanMessage

from for_yandex.settings import FOLDER, in_both_ways, made, now

SOON = {"poll_interval": 0.1}


@in_both_ways
async def can_tell_what_a_model_is(sdk: Any) -> None:
    kinds = {
        "gpt": [sdk.models.completions("yandexgpt"), sdk.chat.completions("yandexgpt")],
        "emb": [sdk.models.text_embeddings("doc"), sdk.chat.text_embeddings("text-search-doc")],
        "cls": [sdk.models.text_classifiers("yandexgpt")],
        "art": [sdk.models.image_generation("yandex-art")],
    }
    for scheme, models in kinds.items():
        for model in models:
            assert model.uri.startswith(f"{scheme}://{FOLDER}/{model.name}")
            assert (model.owner, model.version, model.fine_tuned) == (None, "latest", False)
            assert model.config is not None


@in_both_ways
async def can_tell_how_a_service_is_set_up(sdk: Any) -> None:
    search = sdk.search_api
    services = [search.web("RU"), search.image("RU"), search.by_image(), search.generative(), search.wordstat()]
    services += [sdk.speechkit.stt(audio_format="mp3"), sdk.speechkit.tts(), sdk.vision.ocr()]
    for service in services:
        assert service.config is not None
        assert service.uri.startswith("<")
        assert (service.name, service.owner, service.version, service.fine_tuned) == (None, None, None, None)


@in_both_ways
async def can_defer_and_attach(sdk: Any) -> None:
    model = sdk.models.completions("yandexgpt")
    operation = await now(model.run_deferred("привет"))
    assert (await now(operation.get_status())).is_running
    attached = await now(model.attach_deferred(operation.id))
    waited = await now(attached.wait(**SOON))
    assert (await now(operation.wait(**SOON))).text == (await now(operation.get_result())).text == waited.text
    cancelled = await now(model.run_deferred("привет"))
    await now(cancelled.cancel())
    assert (await now(cancelled.get_status())).is_failed


@in_both_ways
async def can_be_used_in_langchain(sdk: Any) -> None:
    chat = sdk.models.completions("yandexgpt").langchain(model_type="chat", timeout=60)
    question = [HumanMessage(content="привет")]
    said = await chat.ainvoke(question) if type(sdk) is type(made()) else chat.invoke(question)
    assert said.content


@in_both_ways
async def can_log(sdk: Any) -> None:
    assert sdk.setup_default_logging(log_level="ERROR") is sdk
    assert logging.getLogger("yandex_ai_studio_sdk").handlers


@in_both_ways
async def can_list_and_embed_by_the_openai_like_api(sdk: Any) -> None:
    assert "text-search-doc" in [model.name for model in await now(sdk.chat.text_embeddings.list())]
    found = await now(sdk.chat.text_embeddings("text-search-doc").configure(extra_query={}).run("привет"))
    assert len(found.embedding) == 256


@in_both_ways
async def can_offer_a_function(sdk: Any) -> None:
    parameters = {"type": "object", "properties": {"camp": {"type": "string"}}}
    tool = sdk.tools.function(parameters, name="camp_distance", description="Расстояние")
    for model in (sdk.models.completions("yandexgpt"), sdk.chat.completions("yandexgpt")):
        answer = await now(model.configure(tools=[tool], tool_choice=tool).run("далеко?"))
        assert [call.function.name for call in answer.tool_calls] == ["camp_distance"]


@in_both_ways
async def can_embed_in_another_size(sdk: Any) -> None:
    model = sdk.models.text_embeddings("text-embeddings-v2-query").configure(dimensions=768)
    assert len(await now(model.run("привет"))) == 768
