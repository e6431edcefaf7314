// Debian's Chromium, and the rules that every browser test holds the page to: no console error, no violation of the policy, nothing asked of anybody but
// the agent, no dialog.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

import { PATIENCE } from './agent.mjs';

const ARGUMENTS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

export async function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGUMENTS });
}

/** A page in a fresh profile, with what it did wrong in `faults`. */
export async function open(browser, options = {}) {
  const { width = 1440, height = 900, allowErrors = [], ...rest } = options;
  const context = await browser.newContext({ viewport: { width, height }, timezoneId: 'Etc/UTC', locale: 'en-GB', ...rest });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const faults = [];
  const expect = (text) => allowErrors.some((allowed) => allowed.test(text));
  page.on('console', (message) => {
    if (message.type() === 'error' && !expect(message.text())) faults.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on('pageerror', (error) => faults.push(`script: ${error.stack ?? error}`));
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (protocol !== 'data:' && protocol !== 'blob:' && hostname !== '127.0.0.1') faults.push(`foreign request: ${request.url()}`);
  });
  await context.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  page.faults = faults;
  return page;
}

/** Closes a page, and fails where it broke a rule. */
export async function close(page) {
  const violations = await page.evaluate(() => window.violations ?? []).catch(() => []);
  // What is asked for at this moment needs no answer any more.
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await page.context().close();
  assert.deepEqual([...page.faults, ...violations.map((violation) => `policy: ${violation}`)], []);
}

let failures = 0;

/** Runs `work` with a page of the agent; `SHOTS` names a folder for what is to be seen when it fails. */
export async function withPage(browser, url, options, work) {
  const page = await open(browser, options);
  try {
    await page.goto(url);
    const result = await work(page);
    await close(page);
    return result;
  } catch (error) {
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/failed-${(failures += 1)}.png` }).catch(() => {});
    await page.context().close().catch(() => {});
    if (page.faults.length > 0) error.message += `\nand the page: ${page.faults.join('\n')}`;
    throw error;
  }
}
