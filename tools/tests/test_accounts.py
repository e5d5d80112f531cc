"""The demo account in every state that a folder can be in."""

import asyncio
from dataclasses import replace

import httpx

from tools.accounts.demo import Demo, demo_from, ensure_demo, read_env_file
from tools.accounts.probes import ensure_probe_key

HELLO = {"role": "user", "content": "Привет"}
OLD_FIELDS = ("RAZVILKA_URL", "RAZVILKA_API_KEY", "RAZVILKA_ADMIN_KEY", "RAZVILKA_DEMO_USER_ID")


def ensure(stack, file) -> Demo:
    demo = ensure_demo(file, auth=stack.auth, url=stack.url, registration_token="token")
    return asyncio.run(demo)


def test_the_file_says_what_was_made_and_says_it_again(stack, tmp_path):
    """What is read back is what was written; nothing is made twice."""
    file = tmp_path / "demo.env"
    file.write_text(stack.demo.text)

    again = ensure(stack, file)

    assert again == replace(stack.demo, registration_token="token")
    assert demo_from(read_env_file(file)) == again


def test_a_file_of_the_release_before_keeps_its_keys_and_gains_the_rest(stack, tmp_path):
    """Keys in scripts go on working; the person who holds them can log in from now on."""
    file = tmp_path / "demo.env"
    old = read_env_file_text(stack.demo.text, OLD_FIELDS)
    file.write_text(old)

    demo = ensure(stack, file)
    ensure(stack, restored(stack, tmp_path))

    assert (demo.api_key, demo.admin_key) == (stack.demo.api_key, stack.demo.admin_key)
    assert (demo.demo_user_id, demo.demo_email) == (stack.demo.demo_user_id, stack.demo.demo_email)
    assert demo.demo_password
    assert demo.public_client_id
    assert demo.confidential_client_secret


def test_a_lost_file_makes_new_keys_for_the_same_person(stack, tmp_path):
    """The address is known; so the person is, and gets a password that is known again."""
    demo = ensure(stack, tmp_path / "demo.env")
    ensure(stack, restored(stack, tmp_path))

    assert demo.demo_user_id == stack.demo.demo_user_id
    assert demo.api_key != stack.demo.api_key


def test_probes_have_a_key_of_their_own_that_is_made_once(stack, tmp_path):
    """It may ask models and nothing else, has a budget, and belongs to nobody who logs in."""
    file = tmp_path / "probes.key"
    asyncio.run(ensure_probe_key(file, stack.auth))
    key = file.read_text()
    asyncio.run(ensure_probe_key(file, stack.auth))
    with httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {key}"}, timeout=60) as client:
        asked = client.post("/v1/chat/completions", json={"model": "yandexgpt-lite", "messages": [HELLO]})
        others = client.get("/v1/keys")
    budgets = stack.query("SELECT DISTINCT budget_micro_rub, budget_period FROM auth.api_keys WHERE name = 'Probes'")

    assert file.read_text() == key
    assert file.stat().st_mode & 0o077 == 0
    assert asked.status_code == 200
    assert [tuple(budget) for budget in budgets] == [(5_000_000_000, "month")]
    assert others.status_code == 403


def test_the_demo_key_may_make_keys(stack):
    """Models are named as the catalogue does; a misspelt one is refused by its place in the list."""
    with httpx.Client(
        base_url=stack.url, headers={"authorization": f"Bearer {stack.demo.api_key}"}, timeout=60
    ) as client:
        made = client.post("/v1/keys", json={"name": "mine", "models": ["yandexgpt", "gigachat-pro"]})
        misspelt = client.post("/v1/keys", json={"name": "mine", "models": ["yandexgtp"]})
        own = client.get("/v1/models", headers={"authorization": f"Bearer {made.json()['key']}"})

    assert made.status_code == 201
    assert {model["id"] for model in own.json()["data"]} == set(made.json()["models"])
    assert (misspelt.status_code, misspelt.json()["error"]["param"]) == (400, "models[0]")


def read_env_file_text(text: str, names: tuple[str, ...]) -> str:
    """Return the lines as that release wrote them: few, and without `export`."""
    lines = [line.removeprefix("export ") for line in text.splitlines()]
    return "".join(f"{line}\n" for line in lines if line.partition("=")[0] in names)


def restored(stack, tmp_path):
    """Give the person the password that the other tests know."""
    file = tmp_path / "restored.env"
    file.write_text(stack.demo.text)
    return file
