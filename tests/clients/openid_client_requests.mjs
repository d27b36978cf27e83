// The npm package openid-client pushes authorization requests (RFC 9126), signs them (RFC 9101), and does both at once.
import * as oidc from 'openid-client';
import { importPKCS8 } from 'jose';
import { brief, tell } from './brief.mjs';
import { Browser } from './walk.mjs';

const { client_id, redirect_uri, private_key, kid } = brief.signer;
const key = { key: await importPKCS8(`-----BEGIN PRIVATE KEY-----\n${private_key}\n-----END PRIVATE KEY-----`, 'ES256'), kid };
const options = { execute: [oidc.allowInsecureRequests] };
const config = await oidc.discovery(new URL(brief.issuer), client_id, undefined, oidc.PrivateKeyJwt(key), options);

async function signIn(build) {
  const verifier = oidc.randomPKCECodeVerifier();
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
  const url = await build({
    redirect_uri,
    scope: 'openid email',
    state,
    nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const callback = await new Browser().authorize(url, brief.person, brief.issuer);
  const tokens = await oidc.authorizationCodeGrant(config, callback, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  });
  return { said: [...url.searchParams.keys()].sort(), sub: tokens.claims().sub, scope: tokens.scope };
}

const signed = (parameters) => oidc.buildAuthorizationUrlWithJAR(config, parameters, key);

tell({
  pushed: await signIn((parameters) => oidc.buildAuthorizationUrlWithPAR(config, parameters)),
  signed: await signIn(signed),
  both: await signIn(async (parameters) => oidc.buildAuthorizationUrlWithPAR(config, (await signed(parameters)).searchParams)),
});
