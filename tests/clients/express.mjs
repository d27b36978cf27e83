// An Express app with express-openid-connect: signs in (by query and by form post), refreshes, signs out, in Chromium.
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import express from 'express';
import openid from 'express-openid-connect';
import { attempt, launch, signIn } from './browser.mjs';
import { brief, tell } from './brief.mjs';

// The library reads these names as its own settings.
for (const name of ['SECRET', 'ISSUER_BASE_URL', 'BASE_URL', 'CLIENT_ID', 'CLIENT_SECRET']) delete process.env[name];

const { client_id: clientID, client_secret: clientSecret, port } = brief.web;
const baseURL = `http://127.0.0.1:${port}`;

function app(response_mode) {
  const made = express();
  made.use(
    openid.auth({
      issuerBaseURL: brief.issuer, baseURL, clientID, clientSecret,
      secret: randomBytes(32).toString('hex'),
      clientAuthMethod: 'client_secret_basic',
      authRequired: false,
      idpLogout: true,
      enableTelemetry: false,
      authorizationParams: { response_type: 'code', scope: 'openid profile email offline_access', ...response_mode },
    }),
  );
  made.get('/', (request, response) => response.json({ signed_in: request.oidc.isAuthenticated() }));
  made.get('/me', openid.requiresAuth(), async (request, response) => {
    const before = request.oidc.accessToken.access_token;
    const { access_token: after } = await request.oidc.accessToken.refresh();
    const info = await request.oidc.fetchUserInfo();
    response.json({ sub: request.oidc.user.sub, refreshed: before !== after, info, refresh_token: request.oidc.refreshToken });
  });
  return made;
}

const json = async (page) => JSON.parse(await page.textContent('body'));

async function story(response_mode) {
  const server = app(response_mode).listen(port, '127.0.0.1');
  await once(server, 'listening');
  const chromium = await launch();
  const { page, complaints } = chromium;
  const told = await attempt(chromium, async () => {
    await page.goto(`${baseURL}/me`);
    await signIn(page, brief);
    await page.waitForURL(`${baseURL}/me`);
    const me = await json(page);
    await page.goto(`${baseURL}/logout`);
    await page.waitForURL(`${baseURL}/`);
    const after = await json(page);
    await page.goto(`${baseURL}/me`);
    return { me, signed_in_after: after.signed_in, asked_again: await page.isVisible('input[name=password]') };
  });
  server.close();
  server.closeAllConnections();
  // A browser asks for a picture of each site by itself.
  return { ...told, complaints: complaints.filter((complaint) => !complaint.includes('404')) };
}

tell({ query: await story({}), form_post: await story({ response_mode: 'form_post' }) });
