// A real browser signs in to an app, asks the page at /check-session whether anything changed, and signs out by way of the page with frames.
import { createHash } from 'node:crypto';
import * as oidc from 'openid-client';
import { chromium } from 'playwright-core';
import { brief, tell } from './brief.mjs';

const FLAGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'];
const { backend } = brief;
const complaints = [];
let frame;
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS, headless: true });
const context = await browser.newContext();
const page = await context.newPage();
page.on('console', (message) => message.type() === 'error' && complaints.push(`console: ${message.text()}`));
page.on('pageerror', (error) => complaints.push(`script: ${error}`));

// What the page at /check-session answers to the app's page that the browser shows.
const ask = (text) =>
  page.evaluate(
    ([frame, message]) =>
      new Promise((resolve) => {
        addEventListener('message', (event) => resolve(event.data), { once: true });
        const element = document.createElement('iframe');
        element.src = frame;
        element.onload = () => element.contentWindow.postMessage(message, new URL(frame).origin);
        document.documentElement.append(element);
      }),
    [frame, text],
  );

// What an app computes that is signed out, from the cookie as it is then.
async function state() {
  const cookie = (await context.cookies(brief.issuer)).find((own) => own.name === 'symbolon_state');
  const text = [backend.client_id, new URL(backend.redirect_uri).origin, cookie?.value ?? '', 'salt'].join(' ');
  return `${createHash('sha256').update(text).digest('base64url')}.salt`;
}

try {
  const config = await oidc.discovery(new URL(brief.issuer), backend.client_id, undefined, oidc.ClientSecretBasic(backend.client_secret), {
    execute: [oidc.allowInsecureRequests],
  });
  const verifier = oidc.randomPKCECodeVerifier();
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: backend.redirect_uri,
    scope: 'openid',
    state: 'state',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  await page.goto(url.href);
  await page.fill('input[name=username]', brief.person.name);
  await page.fill('input[name=password]', brief.person.password);
  await page.click('button[type=submit]');
  await page.click('button[name=decision][value=allow]');
  await page.waitForURL(`${backend.redirect_uri}?**`);
  const signedIn = new URL(page.url()).searchParams.get('session_state');
  const tokens = await oidc.authorizationCodeGrant(config, new URL(page.url()), { pkceCodeVerifier: verifier, expectedState: 'state' });
  frame = config.serverMetadata().check_session_iframe;
  const before = [await ask(`${backend.client_id} ${signedIn}`), await ask(`other ${signedIn}`), await ask('nonsense')];
  await page.goto(oidc.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: backend.signed_out_uri, state: 'gone' }).href);
  await page.waitForURL(`${backend.signed_out_uri}?state=gone`);
  const after = [await ask(`${backend.client_id} ${signedIn}`), await ask(`${backend.client_id} ${await state()}`)];
  tell({ sid: tokens.claims().sid, before, after, complaints });
} catch (error) {
  console.error(`at ${page.url()}: ${complaints.join('\n')}\n${await page.content().catch(() => '')}`);
  throw error;
} finally {
  await browser.close();
}
