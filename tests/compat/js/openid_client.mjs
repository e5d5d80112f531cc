// openid-client as its README uses it.
import * as client from 'openid-client'
import { config, run, visit } from './conversation.mjs'

const options = { execute: [client.allowInsecureRequests] }

await run(async () => {
  const authentication = config.secret ? client.ClientSecretBasic(config.secret) : client.None()
  const server = await client.discovery(new URL(config.issuer), config.clientId, config.secret, authentication, options)
  client.enableNonRepudiationChecks(server)

  const verifier = client.randomPKCECodeVerifier()
  const [state, nonce] = [client.randomState(), client.randomNonce()]
  const url = client.buildAuthorizationUrl(server, {
    redirect_uri: config.redirectUri,
    scope: config.scope,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  })
  const tokens = await client.authorizationCodeGrant(server, await visit(url), {
    pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true,
  })
  const sub = tokens.claims().sub
  const userInfo = await client.fetchUserInfo(server, tokens.access_token, sub)
  const api = await client.fetchProtectedResource(
    server, tokens.access_token, new URL(`${config.issuer}/v1/models`), 'GET')
  const refreshed = await client.refreshTokenGrant(server, tokens.refresh_token)

  const rs = await client.discovery(new URL(config.issuer), config.introspector.clientId, config.introspector.secret,
    client.ClientSecretBasic(config.introspector.secret), options)
  const before = await client.tokenIntrospection(rs, refreshed.access_token)
  await client.tokenRevocation(server, refreshed.refresh_token)
  const after = await client.tokenIntrospection(rs, refreshed.access_token)

  return { sub, userInfo, status: api.status, tokens, refreshed, before, after }
})
