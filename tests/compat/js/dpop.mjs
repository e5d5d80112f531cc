// oauth4webapi with DPoP (RFC 9449): it makes the proofs and learns the nonces; every request may be asked to try again.
import * as oauth from 'oauth4webapi'
import { config, run, visit } from './conversation.mjs'

const insecure = { [oauth.allowInsecureRequests]: true }

async function withNonce(attempt) {
  try {
    return await attempt()
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    return attempt()
  }
}

await run(async () => {
  const issuer = new URL(config.issuer)
  const client = { client_id: config.clientId }
  const authentication = config.secret ? oauth.ClientSecretBasic(config.secret) : oauth.None()
  const as = await oauth.processDiscoveryResponse(
    issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }))
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
  const options = { DPoP, ...insecure }

  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const url = new URL(as.authorization_endpoint)
  url.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: config.redirectUri,
    response_type: 'code',
    scope: config.scope,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    dpop_jkt: await DPoP.calculateThumbprint(),
    state,
  })
  const callback = oauth.validateAuthResponse(as, client, await visit(url), state)

  const tokens = await withNonce(async () => oauth.processAuthorizationCodeResponse(as, client,
    await oauth.authorizationCodeGrantRequest(
      as, client, authentication, callback, config.redirectUri, verifier, options)))
  const models = new URL('/v1/models', config.issuer)
  const ask = (token) => withNonce(() => oauth.protectedResourceRequest(
    token, 'GET', models, new Headers(), null, options))
  const api = await ask(tokens.access_token)
  const userInfo = await withNonce(async () => oauth.processUserInfoResponse(as, client, oauth.skipSubjectCheck,
    await oauth.userInfoRequest(as, client, tokens.access_token, options)))
  const refreshed = await withNonce(async () => oauth.processRefreshTokenResponse(as, client,
    await oauth.refreshTokenGrantRequest(as, client, authentication, tokens.refresh_token, options)))
  const again = await ask(refreshed.access_token)
  const bearer = await fetch(models, { headers: { authorization: `Bearer ${refreshed.access_token}` } })

  return {
    type: tokens.token_type, userInfo, bearer: bearer.status, statuses: [api.status, again.status],
    thumbprint: await DPoP.calculateThumbprint(), access: refreshed.access_token,
  }
})
