"""The PyPI package Authlib plays both apps and a back end, by what the discovery document says."""

import os

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.base_client.sync_openid import OpenIDMixin
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

from walk import BRIEF, Browser, tell

# The server of a test speaks http on a loopback address.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
METADATA = requests.get(BRIEF["issuer"] + "/.well-known/openid-configuration", timeout=30).json()
KEYS = KeySet.import_key_set(requests.get(METADATA["jwks_uri"], timeout=30).json())


def session(client, scope=None):
    """A client as its registration says: public ones name themselves, others authenticate."""
    method = "client_secret_basic" if "client_secret" in client else "none"
    made = OAuth2Session(
        client["client_id"],
        client.get("client_secret"),
        scope=scope,
        redirect_uri=client["redirect_uri"],
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        code_challenge_method="S256",
    )
    made.trust_env = False
    return made


def sign_in(client, scope, browser=None):
    """Authorization code with PKCE."""
    app = session(client, scope)
    verifier, nonce = generate_token(48), generate_token(20)
    url, state = app.create_authorization_url(METADATA["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
    callback = (browser or Browser()).authorize(url, BRIEF["person"], BRIEF["issuer"])
    token = app.fetch_token(METADATA["token_endpoint"], authorization_response=callback, code_verifier=verifier, state=state)
    claims = verified(token["id_token"], client)
    assert claims["nonce"] == nonce
    return token, claims


def verified(id_token, client):
    """The claims of an ID token after signature, issuer, audience and time were checked."""
    claims = jwt.decode(id_token, KEYS).claims
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": BRIEF["issuer"]}, aud={"essential": True, "value": client["client_id"]}
    ).validate(claims)
    return claims


def exchange(subject, actor, scope):
    """App two shows what app one has."""
    app = session(BRIEF["two"])
    token = app.fetch_token(
        METADATA["token_endpoint"],
        grant_type=EXCHANGE,
        audience=BRIEF["issuer"],
        subject_token=subject,
        subject_token_type="urn:ietf:params:oauth:token-type:id_token",
        actor_token=actor,
        actor_token_type="urn:openid:params:token-type:device-secret",
        scope=scope,
    )
    return app, token


class Discovered(OpenIDMixin):
    """The part of a registered client that knows how to sign out."""

    def load_server_metadata(self):
        """What was discovered."""
        return METADATA


def sign_out():
    """App one signs in and out in one browser: the address that it came back to, and what its refresh token is worth then."""
    browser, client = Browser(), BRIEF["one"]
    token, _ = sign_in(client, "openid offline_access device_sso", browser)
    out = Discovered().create_logout_url(
        post_logout_redirect_uri=client["signed_out_uri"], id_token_hint=token["id_token"], state="a state"
    )
    back = browser.sign_out(out["url"], BRIEF["issuer"])
    app = session(client)
    after = refusal(lambda: app.refresh_token(METADATA["token_endpoint"], refresh_token=token["refresh_token"]))
    return back, after


def refusal(call):
    """The error code of a call that must fail."""
    try:
        call()
    except OAuthError as error:
        return error.error
    return "granted"


def introspect(token):
    """A back end asks about a token."""
    answer = session(BRIEF["backend"]).introspect_token(METADATA["introspection_endpoint"], token=token)
    return answer.json()["active"]


def main():
    one, one_claims = sign_in(BRIEF["one"], "openid profile offline_access device_sso")
    app, two = exchange(one["id_token"], one["device_secret"], "openid profile offline_access")
    two_claims = verified(two["id_token"], BRIEF["two"])
    userinfo = app.get(METADATA["userinfo_endpoint"]).json()
    three = app.refresh_token(METADATA["token_endpoint"], refresh_token=two["refresh_token"])
    refreshed = three["access_token"] != two["access_token"] and three["refresh_token"] != two["refresh_token"]
    wrong = refusal(lambda: exchange(one["id_token"], one["device_secret"] + "A", "openid"))

    before = introspect(three["access_token"])
    answer = session(BRIEF["one"]).revoke_token(METADATA["revocation_endpoint"], token=one["device_secret"])
    assert answer.status_code == 200, answer.text
    after = introspect(three["access_token"])
    revoked = refusal(lambda: app.refresh_token(METADATA["token_endpoint"], refresh_token=three["refresh_token"]))

    signed_out, after_sign_out = sign_out()

    service = session(BRIEF["backend"], "read").fetch_token(METADATA["token_endpoint"], grant_type="client_credentials")
    code, _ = sign_in(BRIEF["backend"], "openid profile")
    tell(
        {
            "one": one_claims,
            "two": two_claims,
            "userinfo": userinfo,
            "refreshed": refreshed,
            "refused": {"wrong_secret": wrong, "after_revoke": revoked, "after_sign_out": after_sign_out},
            "signed_out": signed_out,
            "introspected": {"before": before, "after": after},
            "backend": {"client_credentials": "access_token" in service, "code": "id_token" in code},
        }
    )


main()
