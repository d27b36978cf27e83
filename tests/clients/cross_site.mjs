// A real browser at an app of another site (localhost; the server is at 127.0.0.1), whose forms post to the server.
import { once } from 'node:events';
import { createServer } from 'node:http';
import * as oidc from 'openid-client';
import { brief, tell } from './brief.mjs';
import { attempt, launch } from './browser.mjs';

const chromium = await launch();
const { page } = chromium;
const text = (value) => value.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');

// The app: a page with the form that is wanted, and its callback, which keeps what it is sent.
let form;
let received;
const app = createServer(async (request, response) => {
  if (request.url.startsWith('/callback')) {
    let body = '';
    for await (const chunk of request) body += chunk;
    received = new URLSearchParams(request.method === 'POST' ? body : request.url.split('?')[1]);
  }
  response.writeHead(200, { 'content-type': 'text/html' });
  const field = ([name, value]) => `<input type="hidden" name="${name}" value="${text(value)}">`;
  const fields = form && Object.entries(form.fields).map(field).join('');
  response.end(request.url === '/form' ? `<!DOCTYPE html><form method="post" action="${form.action}">${fields}<button>Go</button></form>` : 'The app');
}).listen(0, '127.0.0.1');
await once(app, 'listening');
const site = `http://localhost:${app.address().port}`;
const redirect_uri = `http://127.0.0.1:${app.address().port}/callback`;

const config = await oidc.discovery(new URL(brief.issuer), brief.client_id, undefined, oidc.None(), { execute: [oidc.allowInsecureRequests] });
const { authorization_endpoint, end_session_endpoint } = config.serverMetadata();
const verifier = oidc.randomPKCECodeVerifier();
const request = {
  client_id: brief.client_id, response_type: 'code', scope: 'openid', redirect_uri,
  code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
};
const question = (more = {}) => `${authorization_endpoint}?${new URLSearchParams({ ...request, ...more })}`;

// What the app is sent after that, if the browser is there in time.
async function answer(act) {
  received = undefined;
  await act();
  await page.waitForLoadState();
  await page.waitForURL((url) => url.href.startsWith(redirect_uri), { timeout: 5_000 }).catch(() => {});
  return received ? received.get('code') ? 'code' : received.get('error') : `still at ${new URL(page.url()).pathname}`;
}

async function post(action, fields) {
  form = { action, fields };
  await page.goto(`${site}/form`);
  return answer(() => page.click('button'));
}

async function signIn(at) {
  if (await at.isVisible('input[name=username]')) await at.fill('input[name=username]', brief.person.name);
  await at.fill('input[name=password]', brief.person.password);
  await at.click('button[type=submit]');
}

const told = await attempt(chromium, async () => {
  const told = {};
  await page.goto(question());
  told.signed_in = await answer(() => signIn(page));
  const tokens = await oidc.authorizationCodeGrant(config, new URL(page.url()), { pkceCodeVerifier: verifier, idTokenExpected: true });

  const tab = await page.context().newPage();
  await tab.goto(question({ prompt: 'login' }));
  told.posted = await post(authorization_endpoint, request);
  told.silent = await post(authorization_endpoint, { ...request, prompt: 'none' });
  told.hinted = await post(authorization_endpoint, { ...request, prompt: 'none', id_token_hint: tokens.id_token });
  told.long = await post(authorization_endpoint, { ...request, prompt: 'none', extension: 'x'.repeat(20_000) });
  told.form_post = await post(authorization_endpoint, { ...request, prompt: 'none', response_mode: 'form_post' });
  await signIn(tab);
  await tab.waitForURL((url) => url.href.startsWith(redirect_uri));
  told.other_tab = new URL(tab.url()).searchParams.has('code');

  const fresh = await oidc.authorizationCodeGrant(config, new URL(tab.url()), { pkceCodeVerifier: verifier, idTokenExpected: true });
  await post(end_session_endpoint, {});
  told.asked = await page.isVisible('button[name=logout][value=yes]');
  await post(end_session_endpoint, { id_token_hint: fresh.id_token });
  told.said = (await page.textContent('h1')).trim();
  await page.goto(question());
  told.signed_out = await page.isVisible('input[name=password]');
  return told;
});
app.close();
app.closeAllConnections();
tell(told);
