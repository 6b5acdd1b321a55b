// An MCP server built with a third-party SDK: it accepts only tokens that the authorization server signed for its own URL.
//
// Options: `dpop` (nothing but DPoP is accepted, RFC 9449).

import { McpServer, createMcpHandler, getOAuthProtectedResourceMetadataUrl, oauthMetadataResponse } from '@modelcontextprotocol/server';
import * as z from 'zod';

import { bearerGate, dpopGate } from './gates.mjs';

/** Answers a handler for the MCP server at `url`, guarded by `issuer`. */
export async function mcpServer(url, issuer, options, log) {
  const oauthMetadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  const discovery = { oauthMetadata, resourceServerUrl: new URL(url), scopesSupported: ['mcp:tools'] };
  const guarded = { url, authorizationServer: oauthMetadata, resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(new URL(url)) };
  const gate = options.dpop ? dpopGate(guarded) : bearerGate(guarded);
  const handler = createMcpHandler(tools);
  return async (request, response) => {
    const body = await collect(request);
    const incoming = webRequest(request, body, new URL(url).origin);
    const answer = oauthMetadataResponse(incoming, discovery) ?? (await answerTo(incoming, gate, handler));
    log.request(request, body.toString('utf8'), { status: answer.status, challenge: answer.headers.get('www-authenticate') });
    await reply(response, answer);
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

async function answerTo(request, gate, handler) {
  if (new URL(request.url).pathname !== '/mcp') return new Response('no such page', { status: 404 });
  const { refusal, authInfo, headers } = await gate(request);
  if (refusal) return refusal;
  const answer = await handler.fetch(request, { authInfo });
  return new Response(answer.body, { status: answer.status, headers: [...answer.headers, ...headers] });
}

async function collect(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function webRequest(request, body, origin) {
  const bodyless = request.method === 'GET' || request.method === 'HEAD';
  return new Request(new URL(request.url, origin), { method: request.method, headers: request.headers, body: bodyless ? undefined : body });
}

async function reply(response, answer) {
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  for await (const chunk of answer.body ?? []) response.write(chunk);
  response.end();
}
