// The basics of an accessible page, without a heavy package: language, title, one heading, landmarks, labels, names,
// contrast of text, and focus that can be seen.

export function complaints(page) {
  return page.evaluate(() => {
    const found = [];
    const expect = (fine, complaint) => fine || found.push(complaint);
    const visible = (element) => element.getClientRects().length > 0;
    const text = (element) => (element?.textContent ?? '').trim();

    expect(document.compatMode === 'CSS1Compat', 'no doctype');
    expect(document.documentElement.lang, 'no language');
    expect(document.title.trim(), 'no title');
    expect(document.querySelectorAll('h1').length === 1, 'not exactly one h1');
    expect(document.querySelectorAll('main').length === 1, 'not exactly one main');
    expect(document.querySelector('meta[name=viewport]'), 'no viewport for small screens');

    for (const field of document.querySelectorAll('input:not([type=hidden]), select, textarea')) {
      const name = field.getAttribute('aria-label') || [...(field.labels ?? [])].map(text).join('');
      expect(name, `field ${field.name} has no label`);
    }
    for (const button of document.querySelectorAll('button, a[href]')) {
      expect(text(button) || button.getAttribute('aria-label'), `${button.outerHTML} has no name`);
    }
    for (const image of document.images) expect(image.hasAttribute('alt'), 'an image without alt');
    const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
    expect(new Set(ids).size === ids.length, 'an id stands twice');

    // WCAG 2.1 contrast of text on the nearest opaque background.
    const channel = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    const numbers = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = ([red, green, blue]) => 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue);
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = numbers(getComputedStyle(at).backgroundColor);
        if (colour.length === 3 || colour[3] === 1) return colour;
      }
      return [255, 255, 255];
    };
    for (const element of document.querySelectorAll('main *')) {
      const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
      if (!own || !visible(element)) continue;
      const [dark, light] = [luminance(numbers(getComputedStyle(element).color)), luminance(behind(element))].sort((a, b) => a - b);
      const contrast = (light + 0.05) / (dark + 0.05);
      expect(contrast >= 4.5, `contrast ${contrast.toFixed(1)} of "${text(element).slice(0, 30)}"`);
    }
    return found;
  });
}
