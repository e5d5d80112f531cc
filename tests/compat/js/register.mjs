// openid-client registers itself (RFC 7591), and a program without a browser is let in by a device code (RFC 8628).
import * as client from 'openid-client'
import { config, run, visit } from './conversation.mjs'

const options = { execute: [client.allowInsecureRequests], initialAccessToken: config.registrationToken }

await run(async () => {
  const server = await client.dynamicClientRegistration(new URL(config.issuer), {
    client_name: 'A program without a browser',
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    redirect_uris: [],
    response_types: [],
    token_endpoint_auth_method: 'none',
    scope: 'models:read',
  }, client.None(), options)
  const asked = await client.initiateDeviceAuthorization(server, { scope: 'models:read' })
  await visit(asked.verification_uri_complete)
  const tokens = await client.pollDeviceAuthorizationGrant(server, asked)
  const api = await client.fetchProtectedResource(
    server, tokens.access_token, new URL(`${config.issuer}/v1/models`), 'GET')
  return { clientId: server.clientMetadata().client_id, asked, status: api.status, tokens }
})
