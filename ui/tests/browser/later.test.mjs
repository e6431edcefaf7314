// The page's second file comes after the first lines: keys pressed before are kept for it, and what goes wrong with it is said and made good.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { until, withAgent } from './support/agent.mjs';
import { shopLines } from './support/logs.mjs';
import { close, launch, open } from './support/page.mjs';
import { bar, reads, rows } from './support/view.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

/** A page whose second file `answer` stands for; `work` begins when the first lines are there. */
async function withLater(answer, work) {
  const prepare = (agent) => agent.append('checkout.log', `${shopLines('checkout', 100, 50).join('\n')}\n`);
  await withAgent({}, prepare, async (agent) => {
    await agent.hasLines(100);
    const page = await open(browser, { allowErrors: [/ERR_FAILED/] });
    await page.route(/\/later\.js/, answer);
    await page.goto(`${agent.url}/ui/logs?live=0`);
    await rows(page).first().waitFor();
    await work(page);
    await close(page);
  });
}

test('keys pressed before it has come are pressed when it is there', async () => {
  let arrive;
  const isAsked = new Promise((resolve) => (arrive = resolve));
  await withLater((route) => void isAsked.then(() => route.continue()), async (page) => {
    await page.keyboard.press('t');
    await page.keyboard.type('last 3 h');
    await page.keyboard.press('Enter');
    assert.doesNotMatch(page.url(), /from=/);
    arrive();
    await until('the range is what was typed', () => /[?&]from=3h/.test(page.url()));
  });
});

test('what is typed into a box is not kept back', async () => {
  let arrive;
  const isAsked = new Promise((resolve) => (arrive = resolve));
  await withLater((route) => void isAsked.then(() => route.continue()), async (page) => {
    await bar(page).click();
    await page.keyboard.type('quiet');
    assert.equal(await bar(page).inputValue(), 'quiet');
    arrive();
    await until('the text is asked for', () => /quiet/.test(page.url()));
  });
});

test('one that did not arrive is asked for again', async () => {
  let tries = 0;
  await withLater((route) => ((tries += 1) === 1 ? route.abort() : route.continue()), async (page) => {
    await until('it was asked for', () => tries > 0);
    await page.getByRole('button', { name: 'Help' }).click();
    await page.getByRole('dialog', { name: 'Help' }).waitFor();
    assert.ok(tries > 1);
  });
});

test('one of another build is not used', async () => {
  const other = async (route) => {
    const answer = await route.fetch();
    const body = await answer.text();
    const build = /`([0-9a-f]{12})`/.exec(body)[1];
    await route.fulfill({ response: answer, body: body.replaceAll(build, '0'.repeat(12)) });
  };
  await withLater(other, async (page) => {
    await page.getByRole('button', { name: 'Help' }).click();
    await reads(page, 'The agent was updated.');
  });
});

test('it is not asked for before the first lines are drawn', async () => {
  const prepare = (agent) => ['checkout', 'api'].forEach((name) => agent.append(`${name}.log`, `${shopLines(name, 100, 50).join('\n')}\n`));
  await withAgent({}, prepare, async (agent) => {
    await agent.hasLines(200);
    for (const place of ['/ui/', '/ui/logs']) {
      const page = await open(browser);
      await page.addInitScript(() => {
        new MutationObserver(() => {
          if (document.querySelector('[role=row]') !== null) window.firstRow ??= performance.now();
        }).observe(document, { childList: true, subtree: true });
        // However slow the machine is: nothing is done because time has passed.
        const { setTimeout } = window;
        window.setTimeout = (work, ms = 0) => (ms >= 500 ? 0 : setTimeout(work, ms));
      });
      await page.goto(agent.url + place);
      const asked = () => page.evaluate(() => performance.getEntriesByType('resource').find(({ name }) => name.endsWith('later.js'))?.startTime);
      await until('it is loaded', asked);
      assert.ok((await page.evaluate(() => window.firstRow)) < (await asked()), place);
      await close(page);
    }
  });
});
