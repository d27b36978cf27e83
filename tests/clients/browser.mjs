// A real browser for the scripts: without a screen, and with what goes wrong in its pages written down.
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

export async function launch() {
  const complaints = [];
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS, headless: true });
  const page = await (await browser.newContext({ javaScriptEnabled: true })).newPage();
  page.on('console', (message) => message.type() === 'error' && complaints.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(`script: ${error}`));
  return { browser, page, complaints };
}

// What a person does on our pages: name and password, then yes where there is a question, until the browser is with the app.
export async function signIn(page, { person, issuer }) {
  await page.fill('input[name=username]', person.name);
  await page.fill('input[name=password]', person.password);
  await page.click('button[type=submit]');
  const away = page.waitForURL((url) => !url.href.startsWith(issuer));
  const asked = page.waitForSelector('button[name=decision][value=allow]').then((button) => button.click(), () => {});
  await Promise.race([away, asked]);
  await away;
}

// Tells why a script failed, with the page that it failed on.
export async function attempt({ browser, page, complaints }, story) {
  try {
    return await story();
  } catch (error) {
    console.error(`at ${page.url()}: ${complaints.join('\n')}\n${await page.content().catch(() => '')}`);
    throw error;
  } finally {
    await browser.close();
  }
}
