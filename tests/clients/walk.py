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


def signed_in_as(person):
    """Fills in name and password, or says yes."""

    def fill(fields):
        if "username" in fields:
            fields.update(username=person["name"], password=person["password"])
        else:
            fields["decision"] = "allow"

    return fill


class Browser:
    """Cookies, redirects and forms of one person."""

    def __init__(self):
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["accept"] = "text/html"

    def authorize(self, url, person, issuer):
        """From the authorization request to the redirect to the client; gives its address."""
        return self._walk(url, lambda to: not to.startswith(issuer), signed_in_as(person))

    def sign_out(self, url, issuer):
        """From the end-session request to the redirect to the client; signs out where it is asked whether to."""
        return self._walk(url, lambda to: not to.startswith(issuer), lambda fields: fields.update(logout="yes"))

    def open(self, url, person):
        """Opens an address as a person does, wherever it leads; gives the first page that asks nothing."""
        return self._walk(url, None, signed_in_as(person))

    def look(self, url):
        """Opens an address and stays there."""
        return self.session.get(url, allow_redirects=False)

    def _walk(self, url, away, fill):
        response = self.look(url)
        for _ in range(12):
            if "location" in response.headers:
                url = urljoin(url, response.headers["location"])
                if away and away(url):
                    return url
                response = self.look(url)
                continue
            if response.status_code != 200:
                raise RuntimeError(f"status {response.status_code} at {url}: {response.text}")
            form = Form(response.text)
            if form.action is None:
                if away is None:
                    return response
                raise RuntimeError(f"no form at {url}: {response.text}")
            fill(form.fields)
            url = urljoin(url, form.action)
            response = self.session.post(url, data=form.fields, allow_redirects=False)
        raise RuntimeError(f"too many steps, the last at {url}")
