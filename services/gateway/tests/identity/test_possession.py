"""Access tokens that are bound to a key, at the API and beside it (RFC 9449 7; oauth rule 48)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from razvilka.auth.v1 import oauth_pb2
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from servicekit.testing import FakeClock
from servicekit.testing.dpop_key import DpopKey
from servicekit.trust.dpop import REPLAY_WINDOW_S, Proof
from services.gateway.identity.used_proofs import UsedProofs
from services.gateway.tests.backends import KEY as API_KEY
from services.gateway.tests.backends import Backends
from services.gateway.tests.backends import caller as grant_caller
from services.gateway.tests.conftest import Edge, visitor
from services.gateway.tests.identity_backends import ISSUER, access_token

MODELS = "/v1/models"
PAID = "/v1/chat/completions"
KEYS = "/v1/keys"
CHAT = {"model": "yandexgpt", "messages": [{"role": "user", "content": "Привет"}]}
KEY, OTHER = DpopKey(), DpopKey()
ALGS = 'algs="ES256 EdDSA Ed25519"'
BAD_PROOF = (401, "invalid_dpop_proof", f'DPoP realm="razvilka", error="invalid_dpop_proof", {ALGS}')
USE_NONCE = (401, "use_dpop_nonce", f'DPoP realm="razvilka", error="use_dpop_nonce", {ALGS}')
INVALID = (401, "invalid_token", f'DPoP realm="razvilka", error="invalid_token", {ALGS}')
AS_BEARER = (401, "invalid_token", f'Bearer realm="razvilka", error="invalid_token", DPoP realm="razvilka", {ALGS}')
STEP_UP_ERROR = 'error="insufficient_user_authentication", max_age="600"'


def bound_token(key: DpopKey = KEY, **changes: Any) -> str:
    """Return a token that is bound to the key."""
    return access_token(cnf={"jkt": key.thumbprint}, **changes)


def proof(token: str, path: str = MODELS, key: DpopKey = KEY, method: str = "GET", **changes: Any) -> str:
    """Return a good proof, or one with changes."""
    return key.proof(ISSUER + path, datetime.now(UTC), method=method, access_token=token, **changes)


async def ask(edge: Edge, token: str, *proofs: str, scheme: str = "DPoP", path: str = MODELS) -> httpx.Response:
    """Ask with a token and any number of proofs."""
    headers = [("authorization", f"{scheme} {token}"), *(("dpop", text) for text in proofs)]
    async with visitor(edge) as client:
        return await client.get(path, headers=headers)


def told(answer: httpx.Response) -> tuple[int, str, str]:
    """Return status, code and challenge."""
    return answer.status_code, answer.json()["error"]["code"], answer.headers.get("www-authenticate", "")


async def test_a_bound_token_with_its_proof_opens_the_api(edge: Edge, backends: Backends) -> None:
    """Reading and spending; the scheme in any case; each request with a proof of its own."""
    token = bound_token()

    models = [await ask(edge, token, proof(token), scheme=scheme) for scheme in ("DPoP", "dpop")]
    query = await ask(edge, token, proof(token), path=f"{MODELS}?all=true")
    async with visitor(edge) as client:
        headers = {"authorization": f"DPoP {token}", "dpop": proof(token, PAID, method="POST")}
        paid = await client.post(PAID, json=CHAT, headers=headers)

    row = await backends.usage.row(paid.headers["x-request-id"])
    assert [answer.status_code for answer in (*models, query, paid)] == [200] * 4
    assert (row.user_id, row.grant_id) == ("user-1", "grant-1")


async def test_a_proof_of_head_is_one_of_head(edge: Edge) -> None:
    """It is answered as GET is, and its proof names the method that was sent; it was refused before."""
    token = bound_token()
    async with visitor(edge) as client:
        answers = [
            await client.head(MODELS, headers={"authorization": f"DPoP {token}", "dpop": proof(token, method=method)})
            for method in ("HEAD", "GET")
        ]

    assert [answer.status_code for answer in answers] == [200, 401]


async def test_a_proof_from_no_time_is_refused(edge: Edge) -> None:
    """Its iat of 400 digits was an internal error."""
    token = bound_token()

    assert told(await ask(edge, token, proof(token, iat=10**400))) == BAD_PROOF


async def test_a_bound_token_is_no_bearer_token(edge: Edge) -> None:
    """Stolen without its key it is worth nothing, before and after its owner used it (RFC 9449 7.2)."""
    token = bound_token()

    before = await ask(edge, token, scheme="Bearer")
    owner = await ask(edge, token, proof(token))
    after = await ask(edge, token, scheme="Bearer")
    with_proof = await ask(edge, token, proof(token), scheme="Bearer")

    assert owner.status_code == 200
    assert [told(answer) for answer in (before, after, with_proof)] == [AS_BEARER] * 3


async def test_what_is_bound_to_no_key_does_not_come_as_dpop(edge: Edge) -> None:
    """A bearer token, an API key, nothing at all."""
    plain = access_token()

    answers = [await ask(edge, token, proof(token)) for token in (plain, API_KEY, "x")]

    assert [told(answer) for answer in answers] == [INVALID] * 3


async def test_a_strange_way_of_binding_is_no_bearer_token(edge: Edge) -> None:
    """cnf with a certificate, or with nothing that we know: refused, not ignored."""
    tokens = [access_token(cnf=cnf, jti=f"j{n}") for n, cnf in enumerate([{"x5t#S256": "a" * 43}, {}, "x", {"jkt": 5}])]

    answers = [await ask(edge, token, scheme=scheme) for token in tokens for scheme in ("Bearer", "DPoP")]

    assert [told(answer) for answer in answers] == [AS_BEARER, INVALID] * 4


async def test_a_proof_must_be_there_once_and_good(edge: Edge) -> None:
    """None, two, one of another address, method, token or time."""
    token, other = bound_token(), bound_token(jti="other")
    proofs = {
        "none": (),
        "two": (proof(token), proof(token)),
        "another path": (proof(token, PAID),),
        "another method": (proof(token, method="POST"),),
        "another token": (proof(other),),
        "no token": (KEY.proof(ISSUER + MODELS, datetime.now(UTC), method="GET"),),
        "by the address of the connection": (
            KEY.proof(f"{edge.client.base_url}{MODELS}", datetime.now(UTC), method="GET", access_token=token),
        ),
        "too old": (proof(token, iat=int(datetime.now(UTC).timestamp()) - 300),),
    }

    answers = {name: told(await ask(edge, token, *given)) for name, given in proofs.items()}

    assert answers == dict.fromkeys(proofs, BAD_PROOF)


async def test_the_proof_of_another_key_is_refused(edge: Edge) -> None:
    """It is good, but not for this token."""
    token = bound_token()

    assert told(await ask(edge, token, proof(token, key=OTHER))) == INVALID


async def test_a_proof_counts_once_at_all_gateways(edge: Edge) -> None:
    """Ten at once: one gets through."""
    token = bound_token()
    sent = proof(token)

    answers = await asyncio.gather(*(ask(edge, token, sent) for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 9
    assert {told(answer) for answer in answers if answer.status_code == 401} == {BAD_PROOF}


@pytest.fixture
def nonces(backends: Backends) -> list[str]:
    """Let auth want nonces."""
    backends.oauth.dpop_nonces = ["before", "current", "next"]
    return backends.oauth.dpop_nonces


async def test_the_nonce_comes_with_the_answer(nonces: list[str], edge: Edge) -> None:
    """use_dpop_nonce with the current one; the one before and the next count as well; good answers bring one, too."""
    token = bound_token()

    first = await ask(edge, token, proof(token))
    strange = await ask(edge, token, proof(token, nonce="mine"))
    good = [await ask(edge, token, proof(token, nonce=nonce)) for nonce in nonces]

    assert [told(answer) for answer in (first, strange)] == [USE_NONCE] * 2
    assert [answer.status_code for answer in good] == [200] * 3
    assert {answer.headers["dpop-nonce"] for answer in (first, strange, *good)} == {"current"}


async def test_a_replay_brings_the_nonce_of_now_alone(nonces: list[str], edge: Edge) -> None:
    """Not that of the answer which it repeats: a client that took it would be refused, and may not ask that often."""
    token = bound_token()
    answers = []
    async with visitor(edge) as client:
        for _ in range(2):
            shown = proof(token, PAID, method="POST", nonce="current")
            headers = {"authorization": f"DPoP {token}", "dpop": shown, "idempotency-key": "order-1"}
            answers.append(await client.post(PAID, json=CHAT, headers=headers))

    assert answers[1].headers["idempotent-replayed"] == "true"
    assert [answer.headers.get_list("dpop-nonce") for answer in answers] == [["current"]] * 2


async def test_who_needs_no_nonce_gets_none(nonces: list[str], edge: Edge) -> None:
    """Keys and bearer tokens."""
    answer = await ask(edge, access_token(), scheme="Bearer")

    assert answer.status_code == 200
    assert "dpop-nonce" not in answer.headers


async def test_scopes_and_revocations_hold_for_bound_tokens(edge: Edge, backends: Backends) -> None:
    """The grant is asked for them like for all others."""
    narrow, lost = bound_token(scope="completions:write", jti="n"), bound_token(gid="grant-9", jti="l")

    answers = [await ask(edge, token, proof(token)) for token in (narrow, lost)]

    assert [answer.status_code for answer in answers] == [403, 401]
    assert told(answers[0])[2] == f'DPoP realm="razvilka", error="insufficient_scope", scope="models:read", {ALGS}'
    assert told(answers[1]) == INVALID


async def test_a_step_up_is_asked_for_in_the_scheme_of_the_token(edge: Edge, backends: Backends) -> None:
    """DPoP with its algorithms for a bound token, where a bearer token gets Bearer (RFC 9449 7.1, RFC 9470 3)."""
    backends.oauth.grants["grant-1"] = grant_caller(grant_id="grant-1", key_id="", scopes=["keys:write"])
    claims: dict[str, Any] = {"scope": "keys:write", "auth_time": int(datetime.now(UTC).timestamp()) - 3600}
    bound, plain = bound_token(jti="b", **claims), access_token(jti="p", **claims)

    async with visitor(edge) as client:
        headers = {"authorization": f"DPoP {bound}", "dpop": proof(bound, KEYS, method="POST")}
        by_dpop = await client.post(KEYS, json={"name": "mine"}, headers=headers)
        by_bearer = await client.post(KEYS, json={"name": "mine"}, headers={"authorization": f"Bearer {plain}"})

    assert (by_dpop.status_code, told(by_dpop)[2]) == (401, f'DPoP realm="razvilka", {STEP_UP_ERROR}, {ALGS}')
    assert (by_bearer.status_code, told(by_bearer)[2]) == (401, f'Bearer realm="razvilka", {STEP_UP_ERROR}')


async def test_whoever_sends_nothing_is_told_both_schemes(edge: Edge) -> None:
    """Each in a field of its own, without an error."""
    async with visitor(edge) as stranger:
        answers = [await stranger.get(path) for path in (MODELS, "/userinfo")]

    expected = ['Bearer realm="razvilka"', f'DPoP realm="razvilka", {ALGS}']
    assert [answer.headers.get_list("www-authenticate") for answer in answers] == [expected] * 2


async def test_user_info_wants_the_proof_as_well(edge: Edge, backends: Backends) -> None:
    """DPoP for a bound token, Bearer for the others, never crosswise."""
    token = bound_token()
    backends.oauth.thumbprint = KEY.thumbprint
    good = await ask(edge, token, proof(token, "/userinfo"), path="/userinfo")
    bare = await ask(edge, token, path="/userinfo")
    bearer = await ask(edge, token, scheme="Bearer", path="/userinfo")
    backends.oauth.thumbprint = ""
    crosswise = await ask(edge, access_token(), proof(access_token(), "/userinfo"), path="/userinfo")

    assert (good.status_code, good.json()) == (200, {"sub": "user-1"})
    assert (bare.status_code, bare.json()["error"]) == (401, "invalid_dpop_proof")
    assert bare.headers["www-authenticate"] == BAD_PROOF[2]
    assert [(each.status_code, each.json()["error"]) for each in (bearer, crosswise)] == [(401, "invalid_token")] * 2
    assert [each.headers["www-authenticate"] for each in (bearer, crosswise)] == [AS_BEARER[2], INVALID[2]]


async def test_the_token_endpoint_passes_the_proof_on(edge: Edge, backends: Backends) -> None:
    """As it came; the nonce comes back with tokens and with errors; pages of other sites may read it."""
    async with visitor(edge) as client:
        form = {"grant_type": "x"}
        good = await client.post("/token", data=form, headers={"dpop": "a.b.c"})
        sent = backends.oauth.requests[-1].dpop
        plain = await client.post("/token", data=form)
        backends.oauth.error = _nonce_error()
        refused = await client.post("/token", data=form, headers={"dpop": "a.b.c"})
        asked = {"access-control-request-method": "POST", "origin": "https://app.example.com"}
        preflight = await client.options("/token", headers=asked)

    assert (sent, good.json()["token_type"], good.headers["dpop-nonce"]) == ("a.b.c", "DPoP", "next-nonce")
    assert (plain.json()["token_type"], "dpop-nonce" in plain.headers) == ("Bearer", False)
    assert (refused.status_code, refused.json()["error"]) == (400, "use_dpop_nonce")
    assert refused.headers["dpop-nonce"] == "next-nonce"
    assert "dpop" in preflight.headers["access-control-allow-headers"]
    assert "dpop-nonce" in good.headers["access-control-expose-headers"]


def _nonce_error() -> oauth_pb2.OAuthError:
    return oauth_pb2.OAuthError(error="use_dpop_nonce", description="Send a proof with this nonce.", http_status=400)


async def test_without_redis_a_gateway_knows_its_own_replays(free_port: int) -> None:
    """Redis lost: what this gateway saw counts once, for as long as the proof could be good."""
    clock = FakeClock()
    used = UsedProofs(Redis(port=free_port, retry=Retry(NoBackoff(), 0)), clock)
    first, second = Proof(KEY.thumbprint, "a", ""), Proof(KEY.thumbprint, "b", "")

    answers = [await used.use(proof) for proof in (first, second, first, second)]
    clock.advance(REPLAY_WINDOW_S)

    assert answers == [True, True, False, False]
    assert await used.use(first)
