// The certified authorization server: resource indicators (RFC 8707), PKCE, dynamic registration and its management (RFC 7591, 7592),
// revocation (RFC 7009), pushed requests (RFC 9126), and rotation of refresh tokens with reuse detection.
//
// Options: `pushed` ("off" or "required"; offered otherwise), `dpop` (RFC 9449, with nonces), `device` (RFC 8628),
// `machines` (a folder: clients that were registered beforehand leave their secrets there).

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import Provider, { errors } from 'oidc-provider';

import { machines } from './machines.mjs';

/** Answers a handler for `issuer` that grants tokens for `resource.url` alone, living `settings.ttl` seconds. */
export function authorizationServer(issuer, resource, settings, options, log) {
  const provider = new Provider(issuer, configuration(resource, settings, options));
  provider.proxy = false;
  provider.use(async (context, next) => {
    await next();
    const { status, body } = context;
    const members = body && Object.getPrototypeOf(body) === Object.prototype ? body : {};
    log.request(context.req, context.req.body, { status, members });
  });
  for (const event of EVENTS) provider.on(event, () => log.event(event));
  // What the client is not told.
  provider.on('grant.error', (_context, error) => log.event(`grant.error: ${error.error_detail ?? error.message}`));
  const callback = provider.callback();
  return async (request, response) => {
    // The provider reads a body that somebody else has read from here.
    request.body = await collect(request);
    callback(request, response);
  };
}

const EVENTS = ['refresh_token.destroyed', 'grant.revoked', 'registration_create.success', 'registration_update.success', 'registration_delete.success'];

function configuration(resource, settings, options) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' }] },
    clients: options.machines ? machines(options.machines) : [],
    scopes: ['openid', 'offline_access', 'mcp:tools'],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    pkce: { required: () => true },
    rotateRefreshToken: true,
    expiresWithSession: () => false,
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    cookies: { keys: ['interop only'] },
    features: {
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: options.device === true },
      dPoP: options.dpop ? { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true } : { enabled: false },
      pushedAuthorizationRequests: { enabled: options.pushed !== 'off', requirePushedAuthorizationRequests: options.pushed === 'required' },
      registration: { enabled: true },
      registrationManagement: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // A request without `resource` gets no token for the MCP server: no default, no leniency.
        defaultResource: () => undefined,
        useGrantedResource: () => false,
        getResourceServerInfo: (_ctx, identifier) => {
          if (identifier !== resource.url) throw new errors.InvalidTarget();
          return { scope: 'mcp:tools', audience: identifier, accessTokenFormat: 'jwt', accessTokenTTL: settings.ttl, jwt: { sign: { alg: 'ES256' } } };
        },
      },
    },
  };
}

async function collect(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
