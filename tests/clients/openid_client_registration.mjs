// The npm package openid-client registers itself (RFC 7591), once with an initial access token and once as it is, and signs in as what it became.
import * as oidc from 'openid-client';
import { brief, tell } from './brief.mjs';
import { Browser } from './walk.mjs';

const redirect_uri = 'https://rp.example.com/callback';
const options = { execute: [oidc.allowInsecureRequests] };

async function story(metadata, more, authentication) {
  const config = await oidc.dynamicClientRegistration(new URL(brief.issuer), { redirect_uris: [redirect_uri], ...metadata }, authentication, { ...options, ...more });
  oidc.allowInsecureRequests(config);
  const registered = config.clientMetadata();
  const verifier = oidc.randomPKCECodeVerifier();
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri,
    scope: 'openid email offline_access',
    prompt: 'consent',
    state,
    nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const callback = await new Browser().authorize(url, brief.person, brief.issuer);
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
  const tokens = await oidc.authorizationCodeGrant(config, callback, checks);
  const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token);
  const userinfo = await oidc.fetchUserInfo(config, refreshed.access_token, tokens.claims().sub);
  return {
    method: registered.token_endpoint_auth_method,
    has_secret: typeof registered.client_secret === 'string',
    audience_is_own: tokens.claims().aud === registered.client_id,
    email: userinfo.email,
  };
}

const grants = { grant_types: ['authorization_code', 'refresh_token'] };
const initialAccessToken = brief.initial_token;
const refused = await oidc
  .dynamicClientRegistration(new URL(brief.issuer), { redirect_uris: [redirect_uri], scope: 'openid payments' }, undefined, options)
  .then(() => 'registered', (error) => error.error ?? error.cause?.error ?? String(error));
tell({
  with_token: await story({ ...grants, client_name: 'By token' }, { initialAccessToken }, oidc.ClientSecretBasic()),
  post: await story({ ...grants, token_endpoint_auth_method: 'client_secret_post' }, {}, oidc.ClientSecretPost()),
  public: await story({ ...grants, token_endpoint_auth_method: 'none' }, {}, oidc.None()),
  refused,
});
