// A native app signs its person in to an Express app with express-openid-connect, in Chromium: the token by the request of Auth0's SDKs, then to the
// browser as a parameter that the web app passes on, and as a cookie.
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import express from 'express';
import openid from 'express-openid-connect';
import { attempt, launch } from './browser.mjs';
import { brief, tell } from './brief.mjs';

// The library reads these names as its own settings.
for (const name of ['SECRET', 'ISSUER_BASE_URL', 'BASE_URL', 'CLIENT_ID', 'CLIENT_SECRET']) delete process.env[name];

const { client_id: clientID, client_secret: clientSecret, port } = brief.web;
const baseURL = `http://127.0.0.1:${port}`;
let { refresh_token } = brief.native;

// As Auth0.swift sends it (SSOCredentials), and decoded with what it demands.
async function ssoCredentials() {
  const answer = await fetch(`${brief.issuer}/oauth/token`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Auth0-Client': 'eyJuYW1lIjoiQXV0aDAuc3dpZnQifQ' },
    body: JSON.stringify({
      grant_type: 'refresh_token', client_id: brief.native.client_id, refresh_token,
      audience: `urn:${new URL(brief.issuer).hostname}:session_transfer`,
    }),
  });
  const told = await answer.json();
  for (const name of ['access_token', 'issued_token_type', 'expires_in', 'id_token', 'token_type']) {
    if (told[name] === undefined) throw new Error(`${name} is missing: ${JSON.stringify(told)}`);
  }
  refresh_token = told.refresh_token ?? refresh_token;
  return told.access_token;
}

const config = {
  issuerBaseURL: brief.issuer, baseURL, clientID, clientSecret,
  secret: randomBytes(32).toString('hex'),
  clientAuthMethod: 'client_secret_basic',
  authRequired: false,
  enableTelemetry: false,
};
const ordinary = { response_type: 'code', scope: 'openid profile' };
const app = express();
// The library does not pass the token on by itself.
app.use((request, response, next) => {
  const { session_transfer_token, pushed } = request.query;
  const more = session_transfer_token ? { session_transfer_token } : {};
  const authorizationParams = { ...ordinary, ...more };
  openid.auth({ ...config, authorizationParams, pushedAuthorizationRequests: pushed === 'yes' })(request, response, next);
});
app.get('/', (request, response) => response.json({ sub: request.oidc.user?.sub ?? null }));

const server = app.listen(port, '127.0.0.1');
await once(server, 'listening');

// Opens the web app and says who is signed in there; null when a person would have to do something.
async function open(address, cookie) {
  const chromium = await launch();
  return attempt(chromium, async () => {
    const { page } = chromium;
    if (cookie) await page.context().addCookies([{ name: 'auth0_session_transfer_token', value: cookie, url: brief.issuer, httpOnly: true }]);
    await page.goto(address);
    if (!page.url().startsWith(baseURL)) return { sub: null, asked: await page.isVisible('input[name=password]') };
    const told = JSON.parse(await page.textContent('body'));
    const left = (await page.context().cookies(brief.issuer)).filter((own) => own.name === 'auth0_session_transfer_token').length;
    return { ...told, address: page.url(), cookies_left: left };
  });
}

const first = await ssoCredentials();
const by_query = await open(`${baseURL}/login?session_transfer_token=${first}`);
const again = await open(`${baseURL}/login?session_transfer_token=${first}`);
const by_cookie = await open(`${baseURL}/login`, await ssoCredentials());
const by_push = await open(`${baseURL}/login?pushed=yes&session_transfer_token=${await ssoCredentials()}`);
const without = await open(`${baseURL}/login`);
server.close();
server.closeAllConnections();
tell({ by_query, again, by_cookie, by_push, without });
