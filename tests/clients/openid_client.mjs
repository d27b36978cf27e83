// The npm package openid-client plays both apps: everything it needs it reads from the discovery document.
import * as oidc from 'openid-client';
import { decodeJwt } from 'jose';
import { brief, tell } from './brief.mjs';
import { Browser } from './walk.mjs';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const options = { execute: [oidc.allowInsecureRequests] };
const discover = (id, authentication) => oidc.discovery(new URL(brief.issuer), id, undefined, authentication, options);

const one = await discover(brief.one.client_id, oidc.None());
const two = await discover(brief.two.client_id, oidc.None());
const backend = await discover(brief.backend.client_id, oidc.ClientSecretBasic(brief.backend.client_secret));

async function signIn(config, client, scope, browser = new Browser()) {
  const verifier = oidc.randomPKCECodeVerifier();
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: client.redirect_uri,
    scope,
    state,
    nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const callback = await browser.authorize(url, brief.person, brief.issuer);
  return oidc.authorizationCodeGrant(config, callback, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  });
}

const exchange = (config, subject, actor, scope) =>
  oidc.genericGrantRequest(config, EXCHANGE, {
    audience: brief.issuer,
    subject_token: subject,
    subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
    actor_token: actor,
    actor_token_type: 'urn:openid:params:token-type:device-secret',
    scope,
  });

const refusal = (promise) => promise.then(() => 'granted', (error) => error.error ?? String(error));

const first = await signIn(one, brief.one, 'openid profile email offline_access device_sso');
const second = await exchange(two, first.id_token, first.device_secret, 'openid profile email offline_access');
const claims = decodeJwt(second.id_token);
const userinfo = await oidc.fetchUserInfo(two, second.access_token, first.claims().sub);
const third = await oidc.refreshTokenGrant(two, second.refresh_token);

const [header, , signature] = first.id_token.split('.');
const forged = Buffer.from(JSON.stringify({ ...decodeJwt(first.id_token), sub: 'someone' })).toString('base64url');
const refused = {
  wrong_secret: await refusal(exchange(two, first.id_token, `${first.device_secret}A`, 'openid')),
  tampered: await refusal(exchange(two, `${header}.${forged}.${signature}`, first.device_secret, 'openid')),
};

const before = (await oidc.tokenIntrospection(backend, third.access_token)).active;
await oidc.tokenRevocation(one, first.device_secret, { token_type_hint: 'device_secret' });
const after = (await oidc.tokenIntrospection(backend, third.access_token)).active;
refused.after_revoke = await refusal(oidc.refreshTokenGrant(two, third.refresh_token));

// Signs out by redirect, which ends the browser's session and the device's.
const browser = new Browser();
const again = await signIn(one, brief.one, 'openid offline_access device_sso', browser);
const out = await browser.signOut(
  oidc.buildEndSessionUrl(one, { id_token_hint: again.id_token, post_logout_redirect_uri: brief.one.signed_out_uri, state: 'a state' }),
  brief.issuer,
);
refused.after_sign_out = await refusal(oidc.refreshTokenGrant(one, again.refresh_token));

tell({
  discovered: one.serverMetadata().native_sso_supported === true,
  one: first.claims(),
  two: claims,
  userinfo,
  refreshed: third.access_token !== second.access_token && third.refresh_token !== second.refresh_token,
  refused,
  introspected: { before, after },
  signed_out: out.href,
});
