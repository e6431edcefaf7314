// Lines written by somebody who wants the page to do what it should not: each is shown, as text, and nothing else happens.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, test } from 'node:test';

import { hugeLines } from '../hostile/huge.mjs';
import { until, withAgent } from './support/agent.mjs';
import { launch, withPage } from './support/page.mjs';
import { detail, list, rows } from './support/view.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const SMALL = fs.readFileSync(new URL('../hostile/lines.jsonl', import.meta.url), 'utf8').trim().split('\n').map((line) => JSON.parse(line).line.replaceAll('\n', ' '));

/** Elements that are ours, by name; everything else came out of a line. */
const OURS = new Set(('html head meta title link script body svg symbol g path circle rect use div span button a nav header main aside section footer h1 h2 h3 p ul ol li ' +
  'input label pre textarea canvas kbd fieldset legend form table thead tbody tr th td noscript mark time strong em code hr select option dl dt dd output').split(' '));

/** What must not be there, in words; nothing where all is well. */
async function strangers(page) {
  return page.evaluate((ours) => {
    const found = [];
    for (const element of document.querySelectorAll('*')) {
      if (!ours.includes(element.localName)) found.push(`<${element.localName}>`);
      for (const { name, value } of element.attributes) {
        if (name.startsWith('on') || name === 'srcdoc' || name === 'formaction') found.push(`${element.localName} ${name}`);
        if (name === 'href' && /^\s*(javascript|data|vbscript|blob|file):/i.test(value) && element.id !== 'favicon') found.push(`${element.localName} href ${value}`);
      }
      if (element.localName === 'a' && element.hasAttribute('href') && element.origin !== location.origin && !/noopener noreferrer/.test(element.rel)) found.push(`link ${element.href}`);
    }
    if (document.scripts.length !== 1) found.push(`${document.scripts.length} scripts`);
    if ({}.polluted !== undefined) found.push('a polluted prototype');
    return found;
  }, [...OURS]);
}

test('every hostile line is text in the list and in the detail', async () => {
  const prepare = (agent) => {
    agent.append('hostile.log', `${SMALL.filter((line) => line !== '').join('\n')}\n`);
    agent.append('<img src=x onerror=alert(1)>.log', 'a file of an odd name\n');
  };
  await withAgent({}, prepare, async (agent) => {
    await agent.hasLines(SMALL.length / 2);
    for (const show of ['smart', 'raw']) {
      await withPage(browser, `${agent.url}/ui/logs?live=0&from=all&show=${show}`, {}, async (page) => {
        await rows(page).first().waitFor();
        await list(page).focus();
        await page.keyboard.press('Home');
        await page.keyboard.press('j');
        await page.keyboard.press('Enter');
        await detail(page).waitFor();
        const raw = detail(page).getByLabel('Raw text of the line');
        for (let index = 0; index < SMALL.length; index += 1) {
          if (index % 20 === 0) {
            await detail(page).getByRole('tab', { name: index % 40 === 0 ? 'Raw' : 'Fields' }).click();
            assert.deepEqual(await strangers(page), []);
          }
          await page.keyboard.press('j');
        }
        await detail(page).getByRole('tab', { name: 'Raw' }).click();
        assert.ok((await raw.textContent()) !== '');
        assert.deepEqual(await strangers(page), []);
      });
    }
  });
});

test('huge lines are drawn at once, a piece at a time', async () => {
  const lines = hugeLines().map(([, text]) => text.replaceAll('\n', ' ')).filter((text) => text.trim() !== '' && text.length <= 1_000_000);
  await withAgent({}, (agent) => agent.append('huge.log', `${lines.join('\n')}\n`), async (agent) => {
    await agent.hasLines(lines.length);
    await withPage(browser, `${agent.url}/ui/logs?live=0&from=all`, {}, async (page) => {
      await rows(page).first().waitFor();
      await list(page).focus();
      await page.keyboard.press('End');
      await page.keyboard.press('k');
      await page.keyboard.press('Enter');
      await detail(page).waitFor();
      for (let index = 0; index < lines.length; index += 1) {
        await page.keyboard.press('k');
        await until('the page answers', () => page.evaluate(() => document.querySelector('.detail') !== null));
        assert.deepEqual(await strangers(page), []);
      }
    });
  });
});
