"""A person in front of an Apache with mod_auth_openidc: signs in, lets the module refresh, signs out."""

from urllib.parse import urlencode

from walk import BRIEF, Browser, tell

ORIGIN = f"http://127.0.0.1:{BRIEF['web']['port']}"
PAGE, MODULE = f"{ORIGIN}/protected/", f"{ORIGIN}/protected/callback"


def main():
    browser = Browser()
    first = browser.open(PAGE, BRIEF["person"])
    before = browser.look(f"{MODULE}?info=json").json()
    # The module refreshes for who shows it the access token that it has, and comes back to where it is told.
    refreshed = browser.look(f"{MODULE}?{urlencode({'refresh': PAGE, 'access_token': before['access_token']})}")
    after = browser.look(f"{MODULE}?info=json").json()
    # Signing out leads to the issuer with the module's ID token as hint, and from there back.
    out = browser.open(f"{MODULE}?{urlencode({'logout': ORIGIN + '/'})}", BRIEF["person"])
    again = browser.look(PAGE)
    tell(
        {
            "landed": first.url,
            "user": first.headers.get("x-user"),
            "sub": before["id_token"]["sub"],
            "name": before["userinfo"]["name"],
            "refreshed_back_to": refreshed.headers.get("location"),
            "access_tokens": [before["access_token"], after["access_token"]],
            "signed_out": out.url,
            "asked_again": again.headers.get("location"),
        }
    )


main()
