// Somebody who has a token that was given to somebody else, and a key of his own.
//
// One argument, JSON: `url`, `headers`, `body`, and `proof` (true: a DPoP proof by the thief's own key goes with it, for `token` if
// there is one, and again with the nonce that the server wants). Writes the status and the text of the answer as one JSON line.

import { createHash, randomUUID } from 'node:crypto';

import { SignJWT, exportJWK, generateKeyPair } from 'jose';

const { url, headers, body, proof, token } = JSON.parse(process.argv[2]);
const { privateKey, publicKey } = await generateKeyPair('ES256');

async function proofFor(nonce) {
  const ath = token && createHash('sha256').update(token).digest('base64url');
  const claims = { htm: 'POST', htu: url, jti: randomUUID(), ath, nonce };
  return new SignJWT(claims).setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: await exportJWK(publicKey) }).setIssuedAt().sign(privateKey);
}

async function send(nonce) {
  const dpop = proof ? { dpop: await proofFor(nonce) } : {};
  return fetch(url, { method: 'POST', headers: { 'user-agent': 'thief', ...headers, ...dpop }, body, signal: AbortSignal.timeout(10_000) });
}

let answer = await send();
const nonce = answer.headers.get('dpop-nonce');
if (proof && nonce) answer = await send(nonce);
process.stdout.write(`${JSON.stringify({ status: answer.status, challenge: answer.headers.get('www-authenticate'), body: await answer.text() })}\n`);
