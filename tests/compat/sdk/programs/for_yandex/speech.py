"""Speech, both ways, and the text in pictures."""

from typing import Any

import grpc

from for_yandex.settings import every, in_both_ways, now, refused

TEXT = "Стоянка у реки. До неё далеко!"
HEARD = "стоянка у реки до неё далеко"
SOON = {"poll_interval": 0.1}
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(8) + (640).to_bytes(4, "big") + (480).to_bytes(4, "big") + b"a map"


@in_both_ways
async def can_speak(sdk: Any) -> None:
    formats = sdk.speechkit.AudioFormat
    tts = sdk.speechkit.text_to_speech(voice="alena", speed=1.5).configure(audio_format=formats.WAV)
    said = await now(tts.run(TEXT))
    assert said.data.startswith(b"RIFF")
    assert (len(said.chunks), said.text, said.start_ms) == (2, TEXT, 0)
    pieces = await every(tts.run_stream(TEXT))
    assert b"".join(piece.data for piece in pieces) == said.data
    assert pieces[1].start_ms == pieces[0].length_ms
    short = sdk.speechkit.tts(audio_format=formats.PCM16(8_000), duration_ms=500)
    assert len((await now(short.run("привет"))).data) == 8_000
    await refused(grpc.StatusCode.INVALID_ARGUMENT, tts.configure(voice="nobody").run, TEXT)


@in_both_ways
async def can_speak_while_a_text_is_written(sdk: Any) -> None:
    stream = sdk.speechkit.tts(audio_format="mp3").create_bistream()
    await now(stream.write("Стоянка у реки. До не"))
    assert (await now(stream.read())).text == "Стоянка у реки."
    await now(stream.write("ё далеко"))
    await now(stream.flush())
    assert (await now(stream.read())).text == "До неё далеко"
    await now(stream.write("Ещё. И ещё."))
    await now(stream.done_writing())
    assert [piece.text for piece in await every(stream.gen())] == ["Ещё.", "И ещё."]


@in_both_ways
async def can_hear(sdk: Any) -> None:
    audio = (await now(sdk.speechkit.tts(audio_format="wav").run(TEXT))).data
    stt = sdk.speechkit.speech_to_text(audio_format="wav", text_normalization=True)
    stt = stt.configure(language_codes="ru-RU")
    result = await now(stt.run(audio))
    assert (result.final_text, result.final_refinement_text, result.text) == (HEARD, TEXT, TEXT)
    assert len(result[0].utterances) == 1
    two = await now(stt.configure(text_normalization=False).run([audio, 1_500, audio]))
    assert [utterance.text for utterance in two[0].utterances] == [HEARD, HEARD]
    assert two[0].utterances[1].timespan.start_time_ms > two[0].utterances[0].timespan.end_time_ms
    kinds = [event.event_type.value for event in await every(stt.run_stream(audio))]
    assert kinds == ["status_code", "partial", "final", "final_refinement", "eou_update"]
    await refused(grpc.StatusCode.INVALID_ARGUMENT, sdk.speechkit.stt(audio_format="PCM16(1)").run, b"audio")


@in_both_ways
async def can_hear_more_than_words(sdk: Any) -> None:
    stt = sdk.speechkit.stt
    asked = stt(
        audio_format="PCM16(8000, 2)",
        recognition_classifiers=stt.RecognitionClassifier("negative", triggers=["on_utterance"]),
        speech_analysis=stt.SpeechAnalysis(speaker_analysis=True, conversation_analysis=True),
        llm_post_process=stt.LLMPostProcessing("yandexgpt").with_instruction("Кратко?"),
    )
    result = await now(asked.run(bytes(64_000)))
    assert sorted(result.channels) == ["0", "1"]
    assert result["0"].utterances[0].classifiers["negative"].labels
    assert result["1"].speaker_analysis.total_speech_ms == 2_000
    assert result.conversation_analysis.total_speech_ratio == 1
    assert list(result.llm_post_process_result.by_instructions) == ["Кратко?"]


@in_both_ways
async def can_hear_live(sdk: Any) -> None:
    stream = sdk.speechkit.stt(audio_format="PCM16(8000)", eou_classifier=False).create_bistream()
    await now(stream.write(bytes(16_000)))
    assert [(await now(stream.read())).event_type.value for _ in range(2)] == ["status_code", "partial"]
    await now(stream.write_silence(3_000))
    await now(stream.eou())
    kinds = [(await now(stream.read())).event_type.value for _ in range(2)]
    assert kinds == ["final", "eou_update"]
    await now(stream.write(bytes(16_000)))
    await now(stream.write_end_of_utterance())
    await now(stream.done_writing())
    rest = [event.event_type.value for event in await every(stream.gen())]
    assert rest == ["partial", "final", "eou_update"]


@in_both_ways
async def can_hear_a_file_later(sdk: Any) -> None:
    audio = (await now(sdk.speechkit.tts(audio_format="mp3").run(TEXT))).data
    analysis = sdk.speechkit.stt.SpeechAnalysis(speaker_analysis=True)
    stt = sdk.speechkit.stt(audio_format="mp3", text_normalization=True, speech_analysis=analysis)
    operation = await now(stt.run_deferred(audio))
    result = await now(operation.wait(**SOON))
    assert (result.final_text, result.text) == (HEARD, TEXT)
    assert result.final_refinement_text == TEXT
    assert result.speaker_analysis.words_count == 6
    channel = result.get_channel(0)
    assert (result.index(channel), result.count(channel)) == (0, 1)
    attached = await now(stt.attach_deferred(operation.id))
    assert (await now(attached.get_result())).text == TEXT
    again = await now(sdk.speechkit.stt.get_recognition_result(operation.id))
    await now(again.delete())
    await refused(grpc.StatusCode.NOT_FOUND, sdk.speechkit.stt.get_recognition_result, operation.id)
    assert (await now((await now(stt.run_deferred("https://example.org/camp.mp3"))).wait(**SOON))).text


@in_both_ways
async def can_read_pictures(sdk: Any) -> None:
    ocr = sdk.vision.ocr(language_codes=["ru"]).configure(model="table")
    [page] = await now(ocr.run(PICTURE))
    assert (page.page, page.width, page.height) == (0, 640, 480)
    assert page.full_text == page.blocks[0].text
    assert page.tables[0].row_count == len(page.blocks[0].lines)
    operation = await now(ocr.configure(model="passport").run_deferred(PICTURE))
    [page] = await now(operation.wait(**SOON))
    assert page.blocks[0].lines[0].words[0].entity == page.entities[0]
    attached = await now(ocr.attach_deferred(operation.id))
    assert (await now(attached.get_result())).pages[0].entities == page.entities
    await refused(grpc.StatusCode.INVALID_ARGUMENT, ocr.configure(model="none").run, PICTURE)
