// A browser without a screen: cookies, redirects and the forms of the sign-in and consent pages.

function unescape(text) {
  const names = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, dec, hex, name) =>
    dec ? String.fromCodePoint(Number(dec)) : hex ? String.fromCodePoint(parseInt(hex, 16)) : (names[name] ?? whole));
}

function attribute(tag, name) {
  const found = tag.match(new RegExp(`\\s${name}="([^"]*)"`));
  return found ? unescape(found[1]) : undefined;
}

export class Browser {
  cookies = new Map();

  async #send(url, init = {}) {
    const headers = { ...init.headers, cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
    const response = await fetch(url, { ...init, headers, redirect: 'manual' });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/);
      this.cookies.set(name, value);
    }
    return response;
  }

  // From the authorization request to the redirect to the client: signs in and allows where it is asked to.
  authorize(url, person, issuer) {
    return this.#walk(url, issuer, (page, fields) => {
      if (page.includes('name="username"')) {
        fields.set('username', person.name);
        fields.set('password', person.password);
      } else {
        fields.set('decision', 'allow');
      }
    });
  }

  // From the end-session request to the redirect to the client: signs out where it is asked whether to.
  signOut(url, issuer) {
    return this.#walk(url, issuer, (_page, fields) => fields.set('logout', 'yes'));
  }

  // Follows redirects and sends forms, with what `fill` adds to each, until an address leads away from the issuer.
  async #walk(url, issuer, fill) {
    let response = await this.#send(url);
    for (let step = 0; step < 12; step += 1) {
      const location = response.headers.get('location');
      if (location) {
        const target = new URL(location, url);
        if (!target.href.startsWith(issuer)) return target;
        url = target;
        response = await this.#send(url);
        continue;
      }
      const page = await response.text();
      if (response.status !== 200) throw new Error(`status ${response.status} at ${url}: ${page}`);
      const form = page.match(/<form[^>]*>/)?.[0];
      if (!form) throw new Error(`no form at ${url}: ${page}`);
      const fields = new URLSearchParams();
      for (const [input] of page.matchAll(/<input[^>]*type="hidden"[^>]*>/g)) fields.set(attribute(input, 'name'), attribute(input, 'value'));
      fill(page, fields);
      url = new URL(attribute(form, 'action') ?? '', url);
      response = await this.#send(url, { method: 'POST', body: fields, headers: { origin: url.origin } });
    }
    throw new Error(`too many steps, the last at ${url}`);
  }
}
