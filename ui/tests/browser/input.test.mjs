// A person's keys and clicks are not lost, however fast they come and whatever is drawn meanwhile.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { until, withAgent } from './support/agent.mjs';
import { shopLines } from './support/logs.mjs';
import { launch, withPage } from './support/page.mjs';
import { bar, detail, list, reads, rows, sees } from './support/view.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const LINES = 200;

/** An agent with `services`, a file each. */
async function withShop(services, work) {
  const prepare = (agent) => {
    for (const service of services) agent.append(`${service}.log`, `${shopLines(service, LINES, 50).join('\n')}\n`);
  };
  await withAgent({}, prepare, async (agent) => {
    await agent.hasLines(services.length * LINES);
    await work(agent);
  });
}

/** Holds back what the page asks for at addresses like this; `release` sends it on. */
async function holdBack(page, address) {
  let release;
  const isReleased = new Promise((resolve) => (release = resolve));
  await page.route(address, (route) => void isReleased.then(() => route.continue()));
  return { release, isAsked: page.waitForRequest(address) };
}

test('what a key opens takes the next one', async () => {
  await withShop(['checkout'], async (agent) => {
    for (const [key, name] of [['/', 'Find within the lines'], ['t', 'Time in words'], [':', 'Scroll to a time'], ['?', 'Find a key'], ['s', 'Find a stream'], ['q', 'Search']]) {
      await withPage(browser, `${agent.url}/ui/logs?live=0`, {}, async (page) => {
        await page.getByText('FIELDS').waitFor();
        // The next key comes in the next task at the earliest: no frame is drawn in between.
        const focused = await page.evaluate((pressed) => new Promise((resolve) => {
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => resolve(document.activeElement.ariaLabel);
          document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: pressed, bubbles: true, cancelable: true }));
          port2.postMessage('');
        }), key);
        assert.equal(focused, name, key);
      });
    }
  });
});

test('a line is clicked that would have moved on under the pointer', async () => {
  await withShop(['checkout'], async (agent) => {
    await withPage(browser, `${agent.url}/ui/logs`, {}, async (page) => {
      await sees(page, 'order');
      const text = await rows(page).last().textContent();
      const { x, y, height } = await rows(page).last().boundingBox();
      await page.mouse.move(x + 300, y + height / 2);
      await page.mouse.down();
      agent.append('checkout.log', `${shopLines('checkout', 50, 0.01, 2).join('\n')}\n`);
      await reads(page, /^50 new lines/);
      await page.mouse.up();
      await detail(page).waitFor();
      const current = await list(page).evaluate((grid) => grid.querySelector('[role=row][tabindex="0"]').textContent);
      assert.equal(current, text);
    });
  });
});

test('a finger that cannot scroll further goes on following the end', async () => {
  await withShop(['checkout'], async (agent) => {
    await withPage(browser, `${agent.url}/ui/logs`, { width: 390, height: 844, hasTouch: true, isMobile: true }, async (page) => {
      await sees(page, 'order');
      const session = await page.context().newCDPSession(page);
      await session.send('Input.synthesizeScrollGesture', { x: 200, y: 700, yDistance: -200, gestureSourceType: 'touch' });
      agent.append('checkout.log', `${new Date().toISOString()} INFO the next one\n`);
      await sees(page, 'the next one');
    });
  });
});

test('lines are ticked on the overview as anywhere', async () => {
  await withShop(['checkout', 'api'], async (agent) => {
    await withPage(browser, `${agent.url}/ui/`, {}, async (page) => {
      await sees(page, 'order');
      const time = (index) => rows(page).nth(index).getByRole('link');
      await time(-3).click();
      await time(-1).click({ modifiers: ['Shift'] });
      await reads(page, /^3 lines$/);
      await page.getByRole('button', { name: 'Copy text' }).click();
      await reads(page, /Copied 3 lines/);
      await page.getByRole('button', { name: 'Clear the selection' }).click();
      assert.equal(await page.getByRole('button', { name: 'Copy link' }).count(), 0);
    });
  });
});

test('the overview is not skipped under the hands of who ticks lines while the last ones are read', async () => {
  await withShop(['checkout'], async (agent) => {
    await withPage(browser, 'about:blank', {}, async (page) => {
      let isReading = true;
      await page.route(/\/status/, async (route) => {
        const response = await route.fetch();
        const json = await response.json();
        if (isReading) json.import.read_bytes = json.import.total_bytes - 1;
        await route.fulfill({ response, json });
      });
      await page.goto(`${agent.url}/ui/`);
      await sees(page, 'order');
      await rows(page).nth(-3).getByRole('link').click();
      const isRead = page.waitForResponse(async (response) => /\/status/.test(response.url()) && !isReading);
      isReading = false;
      await isRead;
      await rows(page).nth(-1).getByRole('link').click({ modifiers: ['Shift'] });
      await reads(page, /^3 lines$/);
      await page.getByRole('button', { name: 'Copy link' }).waitFor();
      assert.match(page.url(), /ui\/$/);
    });
  });
});

test('where the overview is skipped, no lines are shown before that would be gone when they are clicked', async () => {
  await withShop(['checkout'], async (agent) => {
    await withPage(browser, 'about:blank', {}, async (page) => {
      const streams = await holdBack(page, /api\/v1\/streams/);
      await page.goto(`${agent.url}/ui/`);
      await page.locator('[role=row]').first().waitFor({ state: 'attached' });
      assert.equal(await rows(page).count(), 0);
      streams.release();
      await sees(page, 'order');
      await until('the address says so', () => /ui\/logs$/.test(page.url()));
    });
  });
});

test('the overview is not skipped under the hands of who has begun to type', async () => {
  await withShop(['checkout'], async (agent) => {
    await withPage(browser, 'about:blank', {}, async (page) => {
      const streams = await holdBack(page, /api\/v1\/streams/);
      await page.goto(`${agent.url}/ui/`);
      await bar(page).click();
      await page.keyboard.type('timeout');
      streams.release();
      await page.getByRole('link', { name: /checkout/ }).first().waitFor();
      await page.keyboard.press('Enter');
      await sees(page, 'timeout');
      await until('the address says so', () => /ui\/logs\?q=.*timeout/.test(page.url()));
    });
  });
});

test('what is typed while an expression is looked at stays in the box', async () => {
  await withShop(['checkout', 'api'], async (agent) => {
    await withPage(browser, `${agent.url}/ui/logs?live=0`, {}, async (page) => {
      await page.getByRole('button', { name: 'Regular expression' }).click();
      await bar(page).click();
      const checks = await holdBack(page, /format_query/);
      await page.keyboard.type('order');
      await page.keyboard.press('Enter');
      await checks.isAsked;
      await page.keyboard.type(' \\d+ paid');
      checks.release();
      await until('it is searched for', () => page.url().includes('paid'));
      assert.equal(await bar(page).inputValue(), 'order \\d+ paid');
    });
  });
});
