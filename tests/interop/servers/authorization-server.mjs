// The certified authorization server: resource indicators (RFC 8707), PKCE, dynamic registration (RFC 7591), revocation (RFC 7009),
// and rotation of refresh tokens with reuse detection.

import { generateKeyPairSync } from 'node:crypto';
import Provider, { errors } from 'oidc-provider';

/** Answers a handler for `issuer` that grants tokens for `resource.url` alone, living `settings.ttl` seconds. */
export function authorizationServer(issuer, resource, settings) {
  const provider = new Provider(issuer, configuration(resource, settings));
  provider.proxy = false;
  const callback = provider.callback();
  return (request, response, record) => {
    collect(request).then((body) => {
      record(body);
      // The provider reads a body that somebody else has read from here.
      request.body = body;
      callback(request, response);
    });
  };
}

function configuration(resource, settings) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' }] },
    scopes: ['openid', 'offline_access', 'mcp:tools'],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
    pkce: { required: () => true },
    rotateRefreshToken: true,
    expiresWithSession: () => false,
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    cookies: { keys: ['interop only'] },
    features: {
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
