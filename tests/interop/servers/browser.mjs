// The scripted browser that $BROWSER names: signs in, consents, and follows the redirect to the program's own listener, or goes on
// until the page says that the sign-in is done.
//
// Arguments: the URL; a code to type where a page asks for one; `abort`, to say no where a page asks to compare the code.
// NODE_EXTRA_CA_CERTS has to name the private CA. BROWSER_LOG, if set, gets each page's URL.

import { appendFileSync } from 'node:fs';
import { get } from 'node:http';

const jar = new Map();
const limit = 20;

function remember(origin, response) {
  const cookies = jar.get(origin) ?? new Map();
  for (const line of response.headers.getSetCookie()) {
    const [pair] = line.split(';');
    const at = pair.indexOf('=');
    cookies.set(pair.slice(0, at), pair.slice(at + 1));
  }
  jar.set(origin, cookies);
}

async function visit(url, options = {}) {
  const { origin } = new URL(url);
  const cookie = [...(jar.get(origin) ?? [])].map((pair) => pair.join('=')).join('; ');
  if (process.env.BROWSER_LOG) appendFileSync(process.env.BROWSER_LOG, `${url}\n`);
  const response = await fetch(url, { ...options, redirect: 'manual', headers: { ...options.headers, cookie }, signal: AbortSignal.timeout(10_000) });
  remember(origin, response);
  return response;
}

/**
 * Goes to the program's listener as a browser navigates. Node's own fetch calls every request one of a script, and those are
 * turned away there.
 */
async function arrive(url) {
  if (process.env.BROWSER_LOG) appendFileSync(process.env.BROWSER_LOG, `${url}\n`);
  const headers = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'cross-site' };
  const status = await new Promise((resolve, reject) => {
    const request = get(url, { headers, signal: AbortSignal.timeout(60_000) }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject);
  });
  process.exit(status === 200 ? 0 : 1);
}

/** The form of a page: where it goes and what its hidden fields say. Anything to type is typed. */
function form(page, base) {
  const action = /<form[^>]*action="([^"]+)"/.exec(page);
  if (!action) throw new Error(`no form on the page: ${page.slice(0, 200)}`);
  const fields = new URLSearchParams();
  for (const [input] of page.matchAll(/<input[^>]*>/g)) {
    const name = /name="([^"]*)"/.exec(input)?.[1];
    if (name) fields.set(name, /value="([^"]*)"/.exec(input)?.[1] ?? typed(name));
  }
  return { url: new URL(action[1].replaceAll('&amp;', '&'), base).href, fields };
}

function typed(name) {
  if (name !== 'user_code') return 'person';
  if (!code) throw new Error('a code is asked for, and there is none');
  return code;
}

/** The person's answer to a page that shows the code. */
function decide(fields) {
  if (decision !== 'abort' || !fields.has('confirm')) return;
  fields.delete('confirm');
  fields.set('abort', 'yes');
}

let [url, code, decision] = process.argv.slice(2);
let options = {};
for (let step = 0; step < limit; step += 1) {
  const response = await visit(url, options);
  const location = response.headers.get('location');
  if (location) {
    url = new URL(location, url).href;
    if (new URL(url).protocol === 'http:') await arrive(url);
    options = {};
    continue;
  }
  const page = await response.text();
  if (!response.ok) throw new Error(`${response.status} at ${new URL(url).pathname}: ${page.slice(0, 400)}`);
  if (page.includes('<h1>Sign-in Success</h1>') || page.includes('The Sign-in request was interrupted')) process.exit(0);
  const next = form(page, url);
  decide(next.fields);
  url = next.url;
  options = { method: 'POST', body: next.fields, headers: { 'content-type': 'application/x-www-form-urlencoded' } };
}
throw new Error('too many pages');
