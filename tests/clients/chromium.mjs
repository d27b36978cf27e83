// A real browser on the real pages: signs in, consents, and is sent back to the app (brief.kind says to which address).
import { once } from 'node:events';
import { createServer } from 'node:http';
import * as oidc from 'openid-client';
import { complaints as inspect } from './accessibility.mjs';
import { attempt, launch } from './browser.mjs';
import { brief, tell } from './brief.mjs';

const chromium = await launch();
const { page, complaints } = chromium;

// The app on the loopback interface: remembers the requests that reach it.
const app = createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/html' });
  response.end('<!DOCTYPE html><html lang="en"><head><title>App</title></head><body>Signed in</body></html>');
}).listen(0, '127.0.0.1');
await once(app, 'listening');

const custom = brief.kind === 'scheme' || brief.kind === 'dotless';
const client = custom ? brief[brief.kind] : brief.one;
const redirect = custom ? client.redirect_uri : `http://127.0.0.1:${app.address().port}/callback`;
const config = await oidc.discovery(new URL(brief.issuer), client.client_id, undefined, oidc.None(), {
  execute: [oidc.allowInsecureRequests],
});
const verifier = oidc.randomPKCECodeVerifier();
const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
const request = async (more = {}) =>
  oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirect,
    scope: 'openid profile email offline_access device_sso',
    state,
    nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...more,
  }).href;

// The browser asks for the app's address after the redirect, whether or not an app is there to answer it.
const returned = () => page.waitForRequest((sent) => sent.url().startsWith(redirect), { timeout: 30_000 }).then((sent) => new URL(sent.url()));

async function look(name) {
  complaints.push(...(await inspect(page)).map((complaint) => `${name}: ${complaint}`));
}

async function signIn(password) {
  await page.fill('input[name=username]', brief.person.name);
  await page.fill('input[name=password]', password);
  await page.click('button[type=submit]');
}

const redeem = (callback) =>
  oidc.authorizationCodeGrant(config, callback, { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true });

async function toTheConsentPage() {
  await page.goto(await request());
  await look('sign-in page');
  await signIn(brief.person.password);
  await page.waitForSelector('button[name=decision][value=allow]');
  await look('consent page');
}

async function allow() {
  const back = returned();
  await page.click('button[name=decision][value=allow]');
  return redeem(await back);
}

const stories = {
  async loopback() {
    await toTheConsentPage();
    const tokens = await allow();
    const info = await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
    const back = returned();
    await page.goto(await request());
    const silent = (await back).searchParams.has('code');
    return { sub_of_id_token: tokens.claims().sub, sub_of_userinfo: info.sub, silent };
  },

  async custom() {
    await toTheConsentPage();
    const tokens = await allow();
    const next = await oidc.discovery(new URL(brief.issuer), brief.two.client_id, undefined, oidc.None(), { execute: [oidc.allowInsecureRequests] });
    const exchanged = await oidc.genericGrantRequest(next, 'urn:ietf:params:oauth:grant-type:token-exchange', {
      audience: brief.issuer,
      subject_token: tokens.id_token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
      actor_token: tokens.device_secret,
      actor_token_type: 'urn:openid:params:token-type:device-secret',
    });
    return { exchanged: typeof exchanged.access_token === 'string' };
  },

  async denied() {
    await page.goto(await request());
    await signIn('not the password');
    await page.waitForSelector('[role=alert]');
    await look('sign-in page with a message');
    const wrong_password_shown = (await page.textContent('[role=alert]')).trim().length > 0;
    await signIn(brief.person.password);
    await page.waitForSelector('button[name=decision][value=deny]');
    const back = returned();
    await page.click('button[name=decision][value=deny]');
    const error = (await back).searchParams.get('error');
    await page.waitForLoadState();
    await page.goto(config.serverMetadata().end_session_endpoint);
    await look('sign-out page');
    await page.click('button[name=logout][value=yes]');
    await page.waitForLoadState();
    await look('signed-out page');
    await page.goto(await request());
    return { error, wrong_password_shown, signed_out: await page.isVisible('input[name=password]') };
  },
};

const story = custom ? stories.custom : stories[brief.kind];
const told = await attempt(chromium, story);
app.close();
tell({ ...told, complaints });
