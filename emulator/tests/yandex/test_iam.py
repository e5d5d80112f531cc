"""IAM: tokens for a signed JWT, a Passport token and a virtual machine."""

import time
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from emulator.testing import YANDEX_FOLDER, RunningEmulator
from emulator.tests.asking import base64url_json
from emulator.yandex.auth import AUDIENCE

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC_KEY = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def signed(*, alg: str = "PS256", salt: int = 32, kid: str = "ajekey", **claims: Any) -> str:
    """Return a JWT as a client would sign it."""
    now = int(time.time())
    payload = {"iss": "ajeaccount", "aud": AUDIENCE, "iat": now, "exp": now + 3600, **claims}
    text = f"{base64url_json({'typ': 'JWT', 'alg': alg, 'kid': kid})}.{base64url_json(payload)}"
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=salt)
    return f"{text}.{base64url_json(KEY.sign(text.encode(), pss, hashes.SHA256()))}"


async def exchange(emulator: RunningEmulator, http: aiohttp.ClientSession, body: dict[str, str]) -> tuple[int, Any]:
    """Ask IAM for a token; the service account is known."""
    await emulator.control.add_credential(
        "yandex_service_account",
        key_id="ajekey",
        id="ajeaccount",
        folder=YANDEX_FOLDER,
        public_key=PUBLIC_KEY.decode(),
    )
    async with http.post(f"{emulator.yandex_url}/iam/v1/tokens", json=body) as response:
        return response.status, await response.json()


async def tokenize(emulator: RunningEmulator, http: aiohttp.ClientSession, token: str) -> int:
    """Use a token; return the status."""
    body = {"modelUri": f"gpt://{YANDEX_FOLDER}/yandexgpt", "text": "x"}
    headers = {"Authorization": f"Bearer {token}"}
    async with http.post(f"{emulator.yandex_url}/foundationModels/v1/tokenize", json=body, headers=headers) as response:
        return response.status


async def test_a_signed_jwt_gets_a_token_that_works(emulator: RunningEmulator, http: aiohttp.ClientSession) -> None:
    """The expiry is RFC 3339 with nanoseconds; expiring the token makes it a 401."""
    status, body = await exchange(emulator, http, {"jwt": signed()})

    assert status == 200
    assert body["iamToken"].startswith("t1.")
    assert len(body["expiresAt"].split(".")[1]) == len("204871369Z")
    assert await tokenize(emulator, http, body["iamToken"]) == 200
    assert await emulator.control.expire_tokens("yandex") == 1
    assert await tokenize(emulator, http, body["iamToken"]) == 401


@pytest.mark.parametrize(
    ("jwt", "reason"),
    [
        (signed(alg="RS256"), "PS256"),
        (signed(salt=20), "signature"),
        (signed(exp=int(time.time()) + 3700), "longer than an hour"),
        (signed(exp=int(time.time()) - 1, iat=int(time.time()) - 3000), "expired"),
        (signed(aud="https://example.org"), "audience"),
        (signed(iss="somebody"), "issuer"),
        (signed(kid="unknown"), "not found"),
        ("a.b", "malformed"),
        ("a.b.c", "malformed"),
    ],
    ids=["alg", "salt", "life", "expired", "audience", "issuer", "key", "parts", "garbage"],
)
async def test_a_wrong_jwt_is_refused(
    emulator: RunningEmulator, http: aiohttp.ClientSession, jwt: str, reason: str
) -> None:
    """Every documented rule of the exchange is checked."""
    status, body = await exchange(emulator, http, {"jwt": jwt})

    assert status == 401
    assert reason in body["error"]["message"]


async def test_a_passport_token_gets_a_user_token(emulator: RunningEmulator, http: aiohttp.ClientSession) -> None:
    """A user may name any folder; an unknown Passport token is refused."""
    status, body = await exchange(emulator, http, {"yandexPassportOauthToken": "y0_emulator"})
    refused, _ = await exchange(emulator, http, {"yandexPassportOauthToken": "y0_other"})

    assert (status, refused) == (200, 401)
    assert await tokenize(emulator, http, body["iamToken"]) == 200


async def test_the_metadata_path_wants_its_header(emulator: RunningEmulator, http: aiohttp.ClientSession) -> None:
    """Without Metadata-Flavor there is no token."""
    url = f"{emulator.yandex_url}/computeMetadata/v1/instance/service-accounts/default/token"

    async with http.get(url) as response:
        refused = response.status
    async with http.get(url, headers={"Metadata-Flavor": "Google"}) as response:
        body = await response.json()

    assert refused == 403
    assert body["token_type"] == "Bearer"
    assert 43_000 < body["expires_in"] <= 43_200
    assert await tokenize(emulator, http, body["access_token"]) == 200
