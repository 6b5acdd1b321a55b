// Starts the two third-party servers and says, as one JSON line on standard output, where they are.
//
// Environment: TLS_CERT, TLS_KEY (PEM files for localhost), REQUEST_LOG (a file; one JSON line per request).
// NODE_EXTRA_CA_CERTS has to name the private CA, because the MCP server fetches the signing keys over TLS.
// Standard input takes JSON lines: {"ttl": seconds} sets the lifetime of access tokens from then on.
// The servers end when standard input closes, so that they never outlive what started them.

import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createInterface } from 'node:readline';

import { authorizationServer } from './authorization-server.mjs';
import { mcpServer } from './mcp-server.mjs';

// Standard output carries answers alone; what the servers' packages have to say goes to standard error.
console.log = console.error;
console.info = console.error;

const settings = { ttl: 60 };
const tls = { cert: readFileSync(process.env.TLS_CERT), key: readFileSync(process.env.TLS_KEY) };

function record(server, request, body) {
  const { method, url, headers } = request;
  const entry = { server, method, url, bearer: headers.authorization !== undefined, agent: headers['user-agent'], body };
  appendFileSync(process.env.REQUEST_LOG, `${JSON.stringify(entry)}\n`);
}

async function listen(name, makeHandler) {
  const server = createServer(tls);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `https://localhost:${server.address().port}`;
  const handler = await makeHandler(origin);
  server.on('request', (request, response) => handler(request, response, (body) => record(name, request, body)));
  return origin;
}

const resource = {};
const issuer = await listen('authorization-server', (origin) => authorizationServer(origin, resource, settings));
const mcpOrigin = await listen('mcp-server', (origin) => {
  resource.url = `${origin}/mcp`;
  return mcpServer(resource.url, issuer);
});

process.stdout.write(`${JSON.stringify({ issuer, mcp: `${mcpOrigin}/mcp` })}\n`);

const commands = createInterface({ input: process.stdin });
commands.on('line', (line) => {
  Object.assign(settings, JSON.parse(line));
  process.stdout.write(`${JSON.stringify(settings)}\n`);
});
commands.on('close', () => process.exit(0));
