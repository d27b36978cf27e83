// The npm package openid-client signs in with encrypted ID tokens and encrypted userinfo, and asks for signed introspection answers.
import * as oidc from 'openid-client';
import { importPKCS8 } from 'jose';
import { brief, tell } from './brief.mjs';
import { Browser } from './walk.mjs';

const options = { execute: [oidc.allowInsecureRequests] };
const pem = `-----BEGIN PRIVATE KEY-----\n${brief.private_key}\n-----END PRIVATE KEY-----`;
const key = { key: await importPKCS8(pem, 'RSA-OAEP-256'), alg: 'RSA-OAEP-256', kid: 'api-enc' };

const config = await oidc.discovery(
  new URL(brief.issuer), brief.one.client_id, { userinfo_signed_response_alg: 'ES256' }, oidc.None(), options,
);
oidc.enableDecryptingResponses(config, ['A256GCM'], key);

const verifier = oidc.randomPKCECodeVerifier();
const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
const url = oidc.buildAuthorizationUrl(config, {
  redirect_uri: brief.one.redirect_uri,
  scope: 'openid profile email offline_access',
  state,
  nonce,
  code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
});
const callback = await new Browser().authorize(url, brief.person, brief.issuer);
const tokens = await oidc.authorizationCodeGrant(config, callback, {
  pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true,
});
const userinfo = await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token);

const backend = await oidc.discovery(
  new URL(brief.issuer), brief.backend.client_id, { introspection_signed_response_alg: 'RS256' },
  oidc.ClientSecretBasic(brief.backend.client_secret), options,
);
const introspected = await oidc.tokenIntrospection(backend, refreshed.access_token);
tell({ parts: tokens.id_token.split('.').length, claims: tokens.claims(), userinfo, refreshed: refreshed.claims(), introspected });
