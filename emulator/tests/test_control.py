"""The control API and the ground-truth log."""

import asyncio
import hashlib
import json

import aiohttp
import pytest

from emulator.control_client import ControlError, EmulatorControl
from emulator.testing import YANDEX_API_KEY, YANDEX_FOLDER, RunningEmulator, running_emulator
from emulator.tests.conftest import Ask


async def test_a_scripted_fault_hits_the_calls_it_is_for(
    emulator: RunningEmulator, ask_yandex: Ask, ask_gigachat: Ask
) -> None:
    """Two calls of one provider fail, the other provider and the third call do not."""
    await emulator.control.fail("status", provider="yandex", times=2, code=503)

    assert (await ask_gigachat("x"))[0] == 200
    assert [(await ask_yandex("x"))[0] for _ in range(3)] == [503, 503, 200]


async def test_reset_forgets_faults_replays_limits_and_the_log(emulator: RunningEmulator, ask_yandex: Ask) -> None:
    """After a reset the emulator is as new, but credentials stay."""
    await emulator.control.fail("status", times=-1)
    await emulator.control.replay("yandex/error_500")
    await emulator.control.set_limits(yandex_max_sessions=0)

    await emulator.control.reset()

    assert (await ask_yandex("x"))[0] == 200
    assert len(await emulator.control.ground_truth()) == 1


async def test_the_log_says_what_was_asked_and_delivered(emulator: RunningEmulator, ask_yandex: Ask) -> None:
    """Digest, sizes and parameters as received; no text of prompt or answer."""
    await ask_yandex("тайный север [[tokens:9]]", options={"temperature": 0.7, "maxTokens": "20"})

    (entry,) = await emulator.control.ground_truth()
    assert entry["sampling"] == {"stream": False, "temperature": 0.7, "maxTokens": "20"}
    assert (entry["provider"], entry["operation"], entry["ended"]) == ("yandex", "chat", "complete")
    assert entry["prompt_chars"] == len("тайный север [[tokens:9]]")
    assert entry["completion_tokens"] == entry["delivered_tokens"] == 9
    assert entry["credential_sha256"] == hashlib.sha256(f"Api-Key {YANDEX_API_KEY}".encode()).hexdigest()
    assert "тайный" not in json.dumps(entry, ensure_ascii=False)


async def test_the_log_can_be_narrowed_down(emulator: RunningEmulator, ask_yandex: Ask, ask_openai: Ask) -> None:
    """By age and by fields."""
    await ask_yandex("x")
    await ask_openai("x [[fault:status]]")
    first = (await emulator.control.ground_truth())[0]["id"]

    assert len(await emulator.control.ground_truth(since=first)) == 1
    assert [entry["provider"] for entry in await emulator.control.ground_truth(ended="fault")] == ["openai"]


async def test_whole_bodies_are_kept_only_when_asked(http: aiohttp.ClientSession) -> None:
    """ground_truth_bodies is for tests that look inside the request."""
    body = {"modelUri": f"gpt://{YANDEX_FOLDER}/yandexgpt", "text": "проба"}
    headers = {"Authorization": f"Api-Key {YANDEX_API_KEY}"}

    async with running_emulator(ground_truth_bodies=True) as emulator:
        await http.post(f"{emulator.yandex_url}/foundationModels/v1/tokenize", json=body, headers=headers)
        (entry,) = await emulator.control.ground_truth()

    assert json.loads(entry["body"]) == body


async def test_a_client_that_leaves_mid_stream_is_seen(emulator: RunningEmulator, http: aiohttp.ClientSession) -> None:
    """What was written before is delivered, the rest is not."""
    body = {
        "modelUri": f"gpt://{YANDEX_FOLDER}/yandexgpt",
        "completionOptions": {"stream": True},
        "messages": [{"role": "user", "text": "x [[tokens:40]] [[chunks:20]] [[gap:50]]"}],
    }
    headers = {"Authorization": f"Api-Key {YANDEX_API_KEY}"}

    url = f"{emulator.yandex_url}/foundationModels/v1/completion"
    async with http.post(url, json=body, headers=headers) as response:
        await response.content.readline()
        response.close()
    while (entry := (await emulator.control.ground_truth())[0])["ended"] == "open":
        await asyncio.sleep(0)

    assert entry["ended"] == "client_gone"
    assert 2 <= entry["delivered_tokens"] < 40


async def test_quotas_of_yandex_are_a_gauge_with_its_words(emulator: RunningEmulator, ask_yandex: Ask) -> None:
    """The message names the quota and the limit; nothing says when to come back."""
    await emulator.control.set_limits(yandex_max_sessions=0)

    status, body = await ask_yandex("x")

    assert (status, body["error"]["grpcCode"]) == (429, 8)
    assert body["error"]["message"].endswith("gauge quota limit exceed: allowed 0 requests")


async def test_the_hourly_rate_is_another_429(http: aiohttp.ClientSession) -> None:
    """The second generation of the hour is over a limit of one."""
    body = {"modelUri": f"gpt://{YANDEX_FOLDER}/yandexgpt", "messages": [{"role": "user", "text": "x"}]}
    headers = {"Authorization": f"Api-Key {YANDEX_API_KEY}"}

    async with running_emulator(yandex_generations_per_hour=1) as emulator:
        statuses = []
        for _ in range(2):
            url = f"{emulator.yandex_url}/foundationModels/v1/completion"
            async with http.post(url, json=body, headers=headers) as response:
                statuses.append(response.status)
                text = await response.text()

    assert statuses == [200, 429]
    assert "RequestsPerHour.rate rate quota limit exceed: allowed 1 requests" in text


async def test_quotas_are_the_providers_own_until_lifted(emulator: RunningEmulator, ask_yandex: Ask) -> None:
    """Ten embeddings a second; a lifted quota comes back with a reset, one set by name holds."""
    shown = await emulator.control.call("POST", "limits", {})
    assert shown["limits"] == {
        "yandex_max_sessions": 10,
        "yandex_generations_per_hour": 0,
        "yandex_async_per_s": 10,
        "yandex_async_per_hour": 5000,
        "yandex_operation_reads_per_s": 50,
        "yandex_embeddings_per_s": 10,
        "yandex_tokenizer_per_s": 50,
        "yandex_classifications_per_s": 1,
        "gigachat_max_parallel": None,
        "gigachat_token_calls_per_s": 10,
    }

    await emulator.control.lift_quotas()
    await emulator.control.set_limits(yandex_max_sessions=0)

    lifted = await emulator.control.call("POST", "limits", {})
    assert {name for name, value in lifted["limits"].items() if value is not None} == {"yandex_max_sessions"}
    assert (await ask_yandex("x"))[0] == 429
    await emulator.control.reset()
    assert (await ask_yandex("x"))[0] == 200


async def test_the_eleventh_embedding_of_a_second_is_refused_by_name(http: aiohttp.ClientSession) -> None:
    """Native and /v1 calls count together; the next second is free again."""
    times = [1_000.0]
    headers = {"Authorization": f"Api-Key {YANDEX_API_KEY}"}
    uri = f"emb://{YANDEX_FOLDER}/text-search-doc/latest"

    async with running_emulator(now=lambda: times[0]) as emulator:

        async def embed(path: str, body: dict[str, str]) -> tuple[int, str]:
            async with http.post(f"{emulator.yandex_url}{path}", json=body, headers=headers) as response:
                return response.status, await response.text()

        native = "/foundationModels/v1/textEmbedding", {"modelUri": uri, "text": "x"}
        statuses = [(await embed(*native))[0] for _ in range(5)]
        statuses += [(await embed("/v1/embeddings", {"model": uri, "input": "x"}))[0] for _ in range(5)]
        refused, text = await embed(*native)
        times[0] += 1
        later, _ = await embed(*native)

    assert statuses == [200] * 10
    assert (refused, later) == (429, 200)
    assert "ai.embeddingsTextEmbeddingRequestsPerSecond.rate rate quota limit exceed: allowed 10 requests" in text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"fault": "nonsense"}),
        ("faults", {}),
        ("credentials", {"kind": "nonsense"}),
        ("limits", {"nonsense": 1}),
        ("nonsense", {}),
    ],
)
async def test_control_mistakes_are_told(emulator: RunningEmulator, path: str, body: dict[str, object]) -> None:
    """A wrong control call never passes silently."""
    with pytest.raises(ControlError):
        await emulator.control.call("POST", path, body)


async def test_the_client_must_be_entered() -> None:
    """Without `async with` there is no connection."""
    with pytest.raises(ControlError):
        await EmulatorControl("http://127.0.0.1:1").reset()


async def test_a_replay_does_not_use_up_a_scripted_fault(emulator: RunningEmulator, ask_yandex: Ask) -> None:
    """The replay goes first, the fault waits for the next call."""
    await emulator.control.fail("status", code=503)
    await emulator.control.replay("yandex/error_403_role")

    assert [(await ask_yandex("x"))[0] for _ in range(3)] == [403, 503, 200]


async def test_a_fault_for_a_time_heals_by_itself(emulator: RunningEmulator, ask_yandex: Ask) -> None:
    """Until then every call fails, and the list says how long it will go on."""
    await emulator.control.fail("status", provider="yandex", times=-1, for_s=30)
    [rule] = (await emulator.control.call("GET", "faults"))["rules"]
    failed = (await ask_yandex("x"))[0]

    await emulator.control.call("DELETE", "faults")
    await emulator.control.fail("status", provider="yandex", times=-1, for_s=1e-9)

    assert (rule["fault"], rule["provider"], failed) == ("status", "yandex", 500)
    assert 0 < rule["left_s"] <= 30
    assert (await ask_yandex("x"))[0] == 200
    assert (await emulator.control.call("GET", "faults"))["rules"] == []


async def test_the_faults_of_one_provider_can_be_taken_back(
    emulator: RunningEmulator, ask_yandex: Ask, ask_gigachat: Ask
) -> None:
    """Those of others stay, and so does the log."""
    await emulator.control.fail("status", provider="yandex", times=-1)
    await emulator.control.fail("status", provider="gigachat", times=-1)

    removed = await emulator.control.call("DELETE", "faults", {"provider": "gigachat"})

    assert removed == {"removed": 1}
    assert [(await ask_yandex("x"))[0], (await ask_gigachat("x"))[0]] == [500, 200]


@pytest.mark.parametrize("for_s", [-1, float("inf"), "soon"])
async def test_a_fault_for_no_time_is_refused(emulator: RunningEmulator, for_s: object) -> None:
    """The rule is not taken."""
    with pytest.raises(ControlError):
        await emulator.control.call("POST", "faults", {"fault": "status", "for_s": for_s})

    assert (await emulator.control.call("GET", "faults"))["rules"] == []
