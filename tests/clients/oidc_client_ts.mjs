// oidc-client-ts in a page of its own origin: signs in, renews by refresh token and in a hidden frame, signs out.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { attempt, launch, signIn } from './browser.mjs';
import { brief, tell } from './brief.mjs';

const main = createRequire(import.meta.url).resolve('oidc-client-ts');
const library = await readFile(join(dirname(main), '../browser/oidc-client-ts.min.js'));

// The app: a page that loads the library and does nothing by itself; in the hidden frame it hands the answer to the page around.
const html = (script) =>
  `<!DOCTYPE html><html lang="en"><head><title>App</title><link rel="icon" href="data:,"><script src="/library.js"></script></head><body><script>${script}</script></body></html>`;
const app = createServer((request, response) => {
  const script = request.url === '/library.js';
  response.writeHead(200, { 'content-type': script ? 'text/javascript' : 'text/html' });
  if (script) response.end(library);
  else response.end(html(request.url.startsWith('/silent') ? `new oidc.UserManager(${JSON.stringify(settings)}).signinSilentCallback()` : ''));
}).listen(brief.web.port, '127.0.0.1');
await once(app, 'listening');
const origin = `http://127.0.0.1:${brief.web.port}`;
const settings = {
  authority: brief.issuer,
  client_id: brief.web.client_id,
  redirect_uri: `${origin}/callback`,
  silent_redirect_uri: `${origin}/silent`,
  post_logout_redirect_uri: `${origin}/signed-out`,
  loadUserInfo: true,
  automaticSilentRenew: false,
};

const chromium = await launch();
const { page, complaints } = chromium;

// Runs something with a user manager in the page; the state lies in the page's own session storage.
const inPage = (work, more) => page.evaluate(`(${work})(new oidc.UserManager(${JSON.stringify({ ...settings, ...more })}))`);

const user = ({ access_token, refresh_token, profile }) => ({ access_token, refresh_token, sub: profile.sub, email: profile.email });

async function signInByRedirect(scope) {
  await page.goto(`${origin}/`);
  await inPage('(manager) => { manager.signinRedirect({ state: "my own" }); }', { scope });
  await page.waitForSelector('input[name=username]');
  await signIn(page, brief);
  await page.waitForURL(`${origin}/callback?**`);
  return inPage('(manager) => manager.signinRedirectCallback()', { scope });
}

const told = await attempt(chromium, async () => {
  const scope = 'openid profile email offline_access';
  const first = await signInByRedirect(scope);
  const second = await inPage('(manager) => manager.signinSilent()', { scope });
  await inPage('(manager) => manager.revokeTokens(["refresh_token"])', { scope });
  // Without a refresh token the library asks again in a hidden frame, with prompt=none.
  await inPage('(manager) => manager.removeUser()', { scope });
  const third = await inPage('(manager) => manager.signinSilent()', { scope: 'openid profile email' });
  // Signs out, with what the refreshed user holds.
  await inPage('(manager) => { manager.signoutRedirect({ state: "bye" }); }', { scope });
  await page.waitForURL(`${origin}/signed-out?**`);
  await inPage('(manager) => manager.signoutRedirectCallback()', { scope });
  const left = await inPage('(manager) => manager.getUser()', { scope });
  const silent = await inPage('(manager) => manager.signinSilent().then(() => "granted", (error) => error.error)', { scope: 'openid' });
  return { first: user(first), second: user(second), third: user(third), state: first.state, left, silent };
});
app.close();
tell({ ...told, complaints });
