// oauth4webapi as its examples use it: discovery, code + PKCE, ID token, refresh, introspection, revocation.
// It checks everything itself: iss of the redirect, state, nonce, content types, JWT headers and claims.
import * as oauth from 'oauth4webapi'
import { config, run, visit } from './conversation.mjs'

const insecure = { [oauth.allowInsecureRequests]: true }

await run(async () => {
  const issuer = new URL(config.issuer)
  const client = { client_id: config.clientId }
  const authentication = config.secret ? oauth.ClientSecretBasic(config.secret) : oauth.None()

  const documents = []
  for (const algorithm of ['oidc', 'oauth2']) {
    const answer = await oauth.discoveryRequest(issuer, { algorithm, ...insecure })
    documents.push(await oauth.processDiscoveryResponse(issuer, answer))
  }
  const as = documents[0]

  const verifier = oauth.generateRandomCodeVerifier()
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
  const url = new URL(as.authorization_endpoint)
  url.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: config.redirectUri,
    response_type: 'code',
    scope: config.scope,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  })
  const callback = oauth.validateAuthResponse(as, client, await visit(url), state)

  const granted = await oauth.authorizationCodeGrantRequest(
    as, client, authentication, callback, config.redirectUri, verifier, insecure)
  const tokens = await oauth.processAuthorizationCodeResponse(
    as, client, granted, { expectedNonce: nonce, requireIdToken: true })
  // The ID token's signature is checked against the published keys, too.
  await oauth.validateApplicationLevelSignature(as, granted, insecure)
  const claims = oauth.getValidatedIdTokenClaims(tokens)

  // As a resource server would: RFC 9068.
  const api = new Request(config.audience, { headers: { authorization: `Bearer ${tokens.access_token}` } })
  const access = await oauth.validateJwtAccessToken(as, api, config.audience, insecure)

  const userInfo = await oauth.processUserInfoResponse(
    as, client, claims.sub, await oauth.userInfoRequest(as, client, tokens.access_token, insecure))

  const refreshed = await oauth.processRefreshTokenResponse(as, client, await oauth.refreshTokenGrantRequest(
    as, client, authentication, tokens.refresh_token, insecure))

  const rs = { client_id: config.introspector.clientId }
  const introspect = async (token) => oauth.processIntrospectionResponse(as, rs, await oauth.introspectionRequest(
    as, rs, oauth.ClientSecretBasic(config.introspector.secret), token, insecure))
  const before = await introspect(refreshed.access_token)
  await oauth.processRevocationResponse(
    await oauth.revocationRequest(as, client, authentication, refreshed.refresh_token, insecure))
  const after = await introspect(refreshed.access_token)

  return {
    same: JSON.stringify(documents[0]) === JSON.stringify(documents[1]),
    sub: claims.sub, access, userInfo, tokens, refreshed, before, after,
  }
})
