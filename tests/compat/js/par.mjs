// openid-client pushes its request (RFC 9126) with a key in hand (RFC 9449): it learns nonces and tries again by itself.
import * as client from 'openid-client'
import { config, run, visit } from './conversation.mjs'

const options = { execute: [client.allowInsecureRequests] }

await run(async () => {
  const authentication = config.secret ? client.ClientSecretBasic(config.secret) : client.None()
  const server = await client.discovery(new URL(config.issuer), config.clientId, config.secret, authentication, options)
  const DPoP = client.getDPoPHandle(server, await client.randomDPoPKeyPair())

  const verifier = client.randomPKCECodeVerifier()
  const state = client.randomState()
  const url = await client.buildAuthorizationUrlWithPAR(server, {
    redirect_uri: config.redirectUri,
    scope: config.scope,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
  }, { DPoP })
  const tokens = await client.authorizationCodeGrant(server, await visit(url), {
    pkceCodeVerifier: verifier, expectedState: state, idTokenExpected: true,
  }, undefined, { DPoP })
  const api = await client.fetchProtectedResource(
    server, tokens.access_token, new URL(`${config.issuer}/v1/models`), 'GET', undefined, undefined, { DPoP })
  const refreshed = await client.refreshTokenGrant(server, tokens.refresh_token, undefined, { DPoP })

  return {
    names: [...url.searchParams.keys()], type: refreshed.token_type, status: api.status, sub: tokens.claims().sub,
  }
})
