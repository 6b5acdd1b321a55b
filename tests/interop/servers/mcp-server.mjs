// An MCP server built with a third-party SDK: it accepts only tokens that the authorization server signed for its own URL.

import { McpServer, OAuthError, OAuthErrorCode, createMcpHandler, getOAuthProtectedResourceMetadataUrl, oauthMetadataResponse, requireBearerAuth } from '@modelcontextprotocol/server';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as z from 'zod';

/** Answers a handler for the MCP server at `url`, guarded by `issuer`. */
export async function mcpServer(url, issuer) {
  const oauthMetadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  const discovery = { oauthMetadata, resourceServerUrl: new URL(url), scopesSupported: ['mcp:tools'] };
  const gate = requireBearerAuth({
    verifier: tokenVerifier(url, issuer, new URL(oauthMetadata.jwks_uri)),
    requiredScopes: ['mcp:tools'],
    resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(new URL(url)),
    expectedResource: url,
  });
  const handler = createMcpHandler(tools);
  return async (request, response, record) => {
    const incoming = await webRequest(request, new URL(url).origin, record);
    await reply(response, oauthMetadataResponse(incoming, discovery) ?? (await guarded(incoming, gate, handler)));
  };
}

function tools() {
  const server = new McpServer({ name: 'interop', version: '1.0.0' });
  server.registerTool('add', { description: 'Adds two numbers.', inputSchema: z.object({ a: z.number(), b: z.number() }) }, ({ a, b }) => ({
    content: [{ type: 'text', text: String(a + b) }],
  }));
  server.registerTool('refuse', { description: 'Always answers with an error.', inputSchema: z.object({}) }, () => ({
    isError: true,
    content: [{ type: 'text', text: 'refused on purpose' }],
  }));
  return server;
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

async function guarded(request, gate, handler) {
  if (new URL(request.url).pathname !== '/mcp') return new Response('no such page', { status: 404 });
  const outcome = await gate(request);
  return outcome instanceof Response ? outcome : handler.fetch(request, { authInfo: outcome });
}

async function webRequest(request, origin, record) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  record(body.toString('utf8'));
  const bodyless = request.method === 'GET' || request.method === 'HEAD';
  return new Request(new URL(request.url, origin), { method: request.method, headers: request.headers, body: bodyless ? undefined : body });
}

async function reply(response, answer) {
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  for await (const chunk of answer.body ?? []) response.write(chunk);
  response.end();
}
