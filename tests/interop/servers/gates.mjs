// Who is let in to the MCP server. A gate answers, for a request, `{ refusal }` (a response) or `{ authInfo, headers }`
// (the headers belong to the answer). Tokens and proofs are checked by third-party code.

import { randomUUID } from 'node:crypto';

import { OAuthError, OAuthErrorCode, requireBearerAuth } from '@modelcontextprotocol/server';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { validateJwtAccessToken } from 'oauth4webapi';

const SCOPE = 'mcp:tools';

/** Bearer tokens (RFC 6750), as the MCP SDK has it. */
export function bearerGate({ url, authorizationServer, resourceMetadataUrl }) {
  const { issuer, jwks_uri: keysUrl } = authorizationServer;
  const verifier = tokenVerifier(url, issuer, new URL(keysUrl));
  const gate = requireBearerAuth({ verifier, requiredScopes: [SCOPE], resourceMetadataUrl, expectedResource: url });
  return async (request) => {
    const outcome = await gate(request);
    return outcome instanceof Response ? { refusal: outcome } : { authInfo: outcome, headers: [] };
  };
}

/** Tokens bound to a key, and a proof of the key with each request (RFC 9449 §7), with nonces of this server (§9). */
export function dpopGate({ url, authorizationServer, resourceMetadataUrl }) {
  const nonces = rollingNonces();
  const refuse = (status, error, headers = {}) => {
    const parameters = { error, algs: 'ES256', scope: SCOPE, resource_metadata: resourceMetadataUrl };
    const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
    const challenge = `DPoP ${given.map(([name, value]) => `${name}="${value}"`).join(', ')}`;
    return { refusal: new Response(null, { status, headers: { 'www-authenticate': challenge, ...headers } }) };
  };
  return async (request) => {
    if (!request.headers.has('authorization')) return refuse(401);
    let claims;
    try {
      claims = await validateJwtAccessToken(authorizationServer, request, url, { requireDPoP: true, signingAlgorithms: ['ES256'] });
    } catch (cause) {
      console.error(cause);
      return refuse(401, 'invalid_token');
    }
    // The one thing that the library leaves to its caller.
    if (!nonces.accepts(decodeJwt(request.headers.get('dpop')).nonce)) return refuse(401, 'use_dpop_nonce', { 'dpop-nonce': nonces.next() });
    const scopes = (claims.scope ?? '').split(' ');
    if (!scopes.includes(SCOPE)) return refuse(403, 'insufficient_scope');
    const token = request.headers.get('authorization').split(' ')[1];
    return { authInfo: { token, clientId: claims.client_id, scopes, expiresAt: claims.exp }, headers: [['dpop-nonce', nonces.next()]] };
  };
}

/** Each answer brings a new nonce; the last few are good. */
function rollingNonces() {
  const good = [];
  return {
    next() {
      good.unshift(randomUUID());
      good.splice(4);
      return good[0];
    },
    accepts: (nonce) => good.includes(nonce),
  };
}

function tokenVerifier(audience, issuer, keysUrl) {
  const keys = createRemoteJWKSet(keysUrl);
  return {
    async verifyAccessToken(token) {
      try {
        const { payload } = await jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt' });
        return { token, clientId: payload.client_id, scopes: (payload.scope ?? '').split(' '), expiresAt: payload.exp, resource: new URL(payload.aud) };
      } catch (cause) {
        throw new OAuthError(OAuthErrorCode.InvalidToken, `token refused: ${cause.code ?? cause.message}`);
      }
    },
  };
}
