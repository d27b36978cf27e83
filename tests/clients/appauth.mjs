// AppAuth-JS as an app on the desktop: it opens the person's browser and waits on a loopback address for the answer.
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { register } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { brief, tell } from './brief.mjs';
import { Browser } from './walk.mjs';

// The package is written for bundlers, which add what its imports leave out.
const hook = `
  export const resolve = (name, context, next) =>
    next(name, context).catch((error) => {
      if (!name.startsWith('.') || name.endsWith('.js')) throw error;
      return next(name + (error.code === 'ERR_UNSUPPORTED_DIR_IMPORT' ? '/index.js' : '.js'), context);
    });
`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
const {
  AuthorizationNotifier, AuthorizationRequest, AuthorizationServiceConfiguration, BaseTokenRequestHandler, RevokeTokenRequest, TokenRequest, setFlag,
} = await import('@openid/appauth');
const { NodeCrypto, NodeBasedHandler, NodeRequestor } = await import('@openid/appauth/built/src/node_support/index.js');
setFlag('IS_LOG', false);

// The person's browser: the desktop's opener tells us the address, and we walk from there to the app's loopback address.
const browser = new Browser();
const desktop = createServer(async (request, response) => {
  const callback = await browser.authorize(new URL(await text(request)), brief.person, brief.issuer);
  await fetch(callback);
  response.end();
}).listen(0, '127.0.0.1');
await once(desktop, 'listening');
const folder = await mkdtemp(join(tmpdir(), 'appauth-'));
const opener = `#!${process.execPath}
require('node:http').request('http://127.0.0.1:${desktop.address().port}', { method: 'POST' }).end(process.argv[2]);
`;
await writeFile(join(folder, 'xdg-open'), opener, { mode: 0o755 });
process.env.PATH = folder + delimiter + process.env.PATH;

// The library listens on a port that must be named before.
const probe = createServer().listen(0);
await once(probe, 'listening');
const { port } = probe.address();
probe.close();
const client_id = brief.one.client_id;
const redirect_uri = `http://127.0.0.1:${port}/callback`;
const requestor = new NodeRequestor();
const configuration = await AuthorizationServiceConfiguration.fetchFromIssuer(brief.issuer, requestor);
const tokens = new BaseTokenRequestHandler(requestor);
const refresh = (refresh_token) =>
  tokens.performTokenRequest(configuration, new TokenRequest({ client_id, redirect_uri, grant_type: 'refresh_token', refresh_token }));
const refusal = (promise) => promise.then(() => 'granted', (error) => error.message);

async function signIn(scope) {
  const handler = new NodeBasedHandler(port);
  const notifier = new AuthorizationNotifier();
  handler.setAuthorizationNotifier(notifier);
  const answer = new Promise((resolve, reject) => {
    notifier.setAuthorizationListener((request, response, error) => (response ? resolve({ request, response }) : reject(error)));
  });
  const crypto = new NodeCrypto();
  handler.performAuthorizationRequest(configuration, new AuthorizationRequest({ client_id, redirect_uri, scope, response_type: 'code' }, crypto));
  const { request, response } = await answer;
  return tokens.performTokenRequest(
    configuration,
    new TokenRequest({
      client_id, redirect_uri, grant_type: 'authorization_code', code: response.code,
      extras: { code_verifier: request.internal.code_verifier },
    }),
  );
}

try {
  const first = await signIn('openid profile offline_access');
  const second = await refresh(first.refreshToken);
  // The library signs out by revoking; ending the browser's session is a page that the app opens.
  await tokens.performRevokeTokenRequest(configuration, new RevokeTokenRequest({ client_id, token: second.refreshToken }));
  const revoked = await refusal(refresh(second.refreshToken));
  const end = new URL(configuration.endSessionEndpoint);
  end.search = new URLSearchParams({ client_id, post_logout_redirect_uri: brief.one.signed_out_uri, state: 'a state' });
  const out = await browser.signOut(end, brief.issuer);
  tell({ refreshed: first.accessToken !== second.accessToken, id_token: first.idToken, revoked, signed_out: out.href });
} finally {
  desktop.close();
  await rm(folder, { recursive: true });
}
