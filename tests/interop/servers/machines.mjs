// Clients that were registered beforehand and sign in by themselves: one with a secret, others with keys.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Makes the clients, and leaves what each of them shows for itself in a file of `folder`. */
export function machines(folder) {
  const leave = (name, text) => writeFileSync(join(folder, name), text, { mode: 0o600 });
  // Characters that mean something in a form and in HTTP Basic.
  const secret = `${randomBytes(24).toString('base64')}:+ %/=&~`;
  leave('secret', secret);
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  leave('ec.pem', ec.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const sec1 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  leave('sec1.pem', sec1.privateKey.export({ type: 'sec1', format: 'pem' }));
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  leave('rsa.pem', rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const ed = generateKeyPairSync('ed25519');
  const kid = 'interop-1';
  leave('ed25519.jwk', JSON.stringify({ ...ed.privateKey.export({ format: 'jwk' }), kid }));
  return [
    client('with-secret', { client_secret: secret, token_endpoint_auth_method: 'client_secret_basic' }),
    client('with-ec', withKey(ec)),
    client('with-sec1', withKey(sec1)),
    client('with-rsa', withKey(rsa)),
    client('with-jwk', withKey(ed, { kid })),
  ];
}

function client(id, credentials) {
  return { client_id: id, grant_types: ['client_credentials'], response_types: [], redirect_uris: [], ...credentials };
}

function withKey(pair, members = {}) {
  return { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [{ ...pair.publicKey.export({ format: 'jwk' }), ...members }] } };
}
