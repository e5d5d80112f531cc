"""Yandex's speech and text recognition: what is spoken here is recognised here."""

import base64
import io
import wave
from typing import Any

import grpc
import pytest

from emulator.tests.yandex_services import Services

TEXT = "Стоянка у реки. До неё далеко!"
PCM = {"rawAudio": {"audioEncoding": "LINEAR16_PCM", "sampleRateHertz": "8000", "audioChannelCount": "1"}}
SECOND = base64.b64encode(bytes(16_000)).decode()


def options(**more: Any) -> dict[str, Any]:
    """Return the first message of a live session of raw audio."""
    model = {"audioFormat": PCM, "audioProcessingType": "REAL_TIME", **more.pop("model", {})}
    return {"sessionOptions": {"recognitionModel": model, **more}}


def kinds(events: list[dict[str, Any]]) -> list[str]:
    common = {"sessionUuid", "audioCursors", "responseWallTimeMs", "channelTag"}
    return [next(iter(event.keys() - common)) for event in events]


async def heard(services: Services, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    return await services.all("Recognizer.RecognizeStreaming", sent=list(messages))


async def test_speech_is_a_file_that_players_take(services: Services) -> None:
    """Its length is that of the pieces together, and a piece begins where the one before ends."""
    first, second = await services.all("Synthesizer.UtteranceSynthesis", text=TEXT)

    data = b"".join(base64.b64decode(piece["audioChunk"]["data"]) for piece in (first, second))
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (22_050, 1, 2)
    assert second["startMs"] == first["lengthMs"]
    assert [timing["word"] for timing in first["wordTimings"]] == ["Стоянка", "у", "реки."]


async def test_speech_lasts_as_long_as_asked(services: Services) -> None:
    """Exactly, at least, at most; faster speech is shorter."""

    async def lasts(*hints: dict[str, Any]) -> int:
        found = await services.all("Synthesizer.UtteranceSynthesis", text="стоянка", hints=list(hints))
        return int(found[0]["lengthMs"])

    def bound(policy: str, duration_ms: str) -> dict[str, Any]:
        return {"duration": {"policy": policy, "durationMs": duration_ms}}

    usual = await lasts()
    assert await lasts({"speed": 2.0}) == usual // 2
    assert await lasts(bound("EXACT_DURATION", "777")) == 777
    assert await lasts(bound("MIN_DURATION", "1")) == await lasts(bound("MAX_DURATION", "99999")) == usual


async def test_a_long_text_needs_the_unsafe_mode(services: Services) -> None:
    """As the provider calls it."""
    text = "слово " * 50

    assert await services.status_of("Synthesizer.UtteranceSynthesis", text=text) == "INVALID_ARGUMENT"
    assert await services.status_of("Synthesizer.UtteranceSynthesis", text=text, unsafeMode=True) == "OK"


async def test_a_live_text_is_spoken_by_sentences(services: Services) -> None:
    """The rest when it is forced, or at the end."""
    texts = ["Стоянка у ре", "ки. До не"]
    inputs = [{"synthesisInput": {"text": text}} for text in texts]
    sent = [{"options": {"voice": "alena"}}, *inputs, {"forceSynthesis": {}}, {"synthesisInput": {"text": "ё"}}]

    found = await services.all("Synthesizer.StreamSynthesis", sent=sent)

    assert [piece["textChunk"]["text"] for piece in found] == ["Стоянка у реки.", "До не", "ё"]


async def test_a_pause_ends_an_utterance(services: Services) -> None:
    """A short one does not; both parts are told with their times."""
    chunk = {"chunk": {"data": SECOND}}
    short, long = ({"silenceChunk": {"durationMs": length}} for length in ("300", "2000"))

    events = await heard(services, options(), chunk, short, chunk, long, chunk)

    finals = [event["final"]["alternatives"][0] for event in events if "final" in event]
    bounds = [(final.get("startTimeMs", "0"), final["endTimeMs"]) for final in finals]
    assert bounds == [("0", "2000"), ("4300", "5300")]


async def test_the_client_may_say_itself_where_an_utterance_ends(services: Services) -> None:
    """Then silence does not."""
    external = options(eouClassifier={"externalClassifier": {}})
    chunk, silence = {"chunk": {"data": SECOND}}, {"silenceChunk": {"durationMs": "5000"}}

    events = await heard(services, external, chunk, silence, {"eou": {}}, chunk)

    assert kinds(events) == ["statusCode", "partial", "final", "eouUpdate", "partial", "final", "eouUpdate"]


async def test_only_what_was_asked_for_is_told(services: Services) -> None:
    """Refinement, labels, statistics, a summary."""
    more = options(
        model={"textNormalization": {"textNormalization": "TEXT_NORMALIZATION_ENABLED"}},
        recognitionClassifier={"classifiers": [{"classifier": "negative", "triggers": ["ON_FINAL"]}]},
        speechAnalysis={"enableSpeakerAnalysis": True, "descriptiveStatisticsQuantiles": [0.5]},
        summarization={"properties": [{"instruction": "Кратко?", "jsonObject": True}]},
    )

    events = await heard(services, more, {"chunk": {"data": SECOND}})

    middle = ["final", "classifierUpdate", "finalRefinement", "speakerAnalysis", "eouUpdate"]
    assert kinds(events) == ["statusCode", "partial", *middle, "speakerAnalysis", "summarization"]
    analysis = events[-2]["speakerAnalysis"]
    assert (analysis["windowType"], analysis["totalSpeechMs"], analysis["utteranceCount"]) == ("TOTAL", "1000", "1")
    assert analysis["wordsPerSecond"]["quantiles"][0]["value"] == analysis["wordsPerSecond"]["mean"]
    assert events[-1]["summarization"]["results"][0]["response"].startswith("{")


@pytest.mark.parametrize(
    "messages",
    [
        [{"chunk": {"data": SECOND}}],
        [{"sessionOptions": {"recognitionModel": {"audioFormat": {"rawAudio": {"sampleRateHertz": "1"}}}}}],
    ],
)
async def test_a_session_begins_with_options_that_make_sense(services: Services, messages: list[Any]) -> None:
    """Else it ends."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await heard(services, *messages)

    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    [entry] = await services.emulator.control.ground_truth()
    assert (entry["operation"], entry["status"], entry["ended"]) == ("speech", 400, "refused")


async def test_nobody_is_heard_without_a_key(services: Services) -> None:
    """The session does not begin."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await services.all("Recognizer.RecognizeStreaming", (), sent=[options()])

    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_a_file_is_heard_in_the_background(services: Services) -> None:
    """Ours gives its own text back; it can be deleted."""
    pieces = await services.all("Synthesizer.UtteranceSynthesis", text=TEXT)
    data = b"".join(base64.b64decode(piece["audioChunk"]["data"]) for piece in pieces)
    model = {"audioFormat": {"containerAudio": {"containerAudioType": "WAV"}}, "audioProcessingType": "FULL_DATA"}
    content = base64.b64encode(data).decode()
    begun = await services.ask("AsyncRecognizer.RecognizeFile", content=content, recognitionModel=model)
    about = {"operationId": begun["id"]}
    early = await services.status_of("AsyncRecognizer.GetRecognition", **about)
    await services.done(begun)

    events = await services.all("AsyncRecognizer.GetRecognition", **about)
    await services.ask("AsyncRecognizer.DeleteRecognition", **about)

    [text] = [event["final"]["alternatives"][0]["text"] for event in events if "final" in event]
    assert (early, text) == ("NOT_FOUND", "стоянка у реки до неё далеко")
    assert await services.status_of("AsyncRecognizer.GetRecognition", **about) == "NOT_FOUND"


async def test_a_document_is_read_page_by_page(services: Services) -> None:
    """Words lie in their lines, lines in the block."""
    content = base64.b64encode(b"%PDF-1.7\n/Type /Page\n/Type /Page\n").decode()
    asked = {"content": content, "mimeType": "application/pdf", "languageCodes": ["en"], "model": "markdown"}

    pages = await services.all("TextRecognitionService.Recognize", **asked)

    texts = [page["textAnnotation"]["fullText"] for page in pages]
    lines = pages[1]["textAnnotation"]["blocks"][0]["lines"]
    assert (len(texts), len(set(texts))) == (2, 2)
    assert "\n".join(line["text"] for line in lines) == texts[1]
    assert " ".join(word["text"] for word in lines[0]["words"]) == lines[0]["text"]
    assert pages[0]["textAnnotation"]["markdown"]


@pytest.mark.parametrize("fields", [{}, {"mimeType": "image/webp"}, {"mimeType": "PNG", "model": "none"}])
async def test_what_cannot_be_read_is_refused(services: Services, fields: Any) -> None:
    """Deferred as well as at once."""
    for method in ("TextRecognitionService.Recognize", "TextRecognitionAsyncService.Recognize"):
        assert await services.status_of(method, content=SECOND, **fields) == "INVALID_ARGUMENT"
