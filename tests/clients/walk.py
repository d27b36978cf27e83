"""A browser without a screen: cookies, redirects and the forms of the sign-in and consent pages."""

import json
import sys
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

BRIEF = json.load(sys.stdin)


def tell(result):
    """The last line is what the Rust test reads."""
    print(json.dumps(result))


class Form(HTMLParser):
    """The first form of a page."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields = None, {}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "form" and self.action is None:
            self.action = values.get("action", "")
        elif tag == "input" and "name" in values:
            self.fields[values["name"]] = values.get("value", "")


def authorize(url, person, issuer):
    """From the authorization request to the redirect to the client; gives its address."""
    browser = requests.Session()
    browser.trust_env = False
    response = browser.get(url, allow_redirects=False)
    for _ in range(12):
        if "location" in response.headers:
            url = urljoin(url, response.headers["location"])
            if not url.startswith(issuer):
                return url
            response = browser.get(url, allow_redirects=False)
            continue
        if response.status_code != 200:
            raise RuntimeError(f"status {response.status_code} at {url}: {response.text}")
        form = Form(response.text)
        if "username" in form.fields:
            form.fields.update(username=person["name"], password=person["password"])
        else:
            form.fields["decision"] = "allow"
        url = urljoin(url, form.action)
        response = browser.post(url, data=form.fields, allow_redirects=False)
    raise RuntimeError(f"too many steps, the last at {url}")
