// Starts the two third-party servers and says, as one JSON line on standard output, where they are.
//
// Environment: TLS_CERT, TLS_KEY (PEM files for localhost), REQUEST_LOG (a file; one JSON line per request, written before it is
// answered, and one per event of the authorization server), OPTIONS (JSON; what differs from the usual, see the two servers).
// NODE_EXTRA_CA_CERTS has to name the private CA, because the MCP server fetches the signing keys over TLS.
// Standard input takes JSON lines: {"ttl": seconds} sets the lifetime of access tokens from then on.
// The servers end when standard input closes, so that they never outlive what started them.

import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createInterface } from 'node:readline';

import { decodeJwt } from 'jose';

import { authorizationServer } from './authorization-server.mjs';
import { mcpServer } from './mcp-server.mjs';

// Standard output carries answers alone; what the servers' packages have to say goes to standard error.
console.log = console.error;
console.info = console.error;

const options = JSON.parse(process.env.OPTIONS ?? '{}');
const settings = { ttl: 60 };
const tls = { cert: readFileSync(process.env.TLS_CERT), key: readFileSync(process.env.TLS_KEY) };

const log = {
  /** A request, and what it is about to be answered: status, and the members of a JSON body. */
  request(request, body, answer) {
    const { method, url, headers } = request;
    const [scheme, credential] = headers.authorization?.split(' ') ?? [];
    const proof = headers.dpop && decodeJwt(headers.dpop);
    const content = Object.fromEntries(Object.entries(headers).filter(([name]) => /^(mcp-|accept$|content-type$)/.test(name)));
    write({ method, url, scheme, credential, proof, agent: headers['user-agent'], content, body, answer });
  },
  /** Something that the authorization server says has happened. */
  event(name) {
    write({ event: name });
  },
};

function write(entry) {
  appendFileSync(process.env.REQUEST_LOG, `${JSON.stringify(entry)}\n`);
}

async function listen(makeHandler) {
  const server = createServer(tls);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `https://localhost:${server.address().port}`;
  server.on('request', await makeHandler(origin));
  return origin;
}

const resource = {};
const issuer = await listen((origin) => authorizationServer(origin, resource, settings, options, log));
const mcpOrigin = await listen((origin) => {
  resource.url = `${origin}/mcp`;
  return mcpServer(resource.url, issuer, options, log);
});

process.stdout.write(`${JSON.stringify({ issuer, mcp: `${mcpOrigin}/mcp` })}\n`);

const commands = createInterface({ input: process.stdin });
commands.on('line', (line) => {
  Object.assign(settings, JSON.parse(line));
  process.stdout.write(`${JSON.stringify(settings)}\n`);
});
commands.on('close', () => process.exit(0));
