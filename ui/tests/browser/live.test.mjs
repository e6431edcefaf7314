// Live: it never jumps, loses nothing, and finds its way back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { until, withAgent } from './support/agent.mjs';
import { launch, withPage } from './support/page.mjs';
import { Proxy } from './support/proxy.mjs';
import { copied, copiedAll, list, places, reads, rows, sees, texts } from './support/view.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

/** Numbered lines of now, from `first` on. */
const numbered = (first, count) => Array.from({ length: count }, (_, index) => `${new Date().toISOString()} INFO number ${first + index} end\n`).join('');
const numberOf = (text) => Number(/number (\d+) end/.exec(text)?.[1]);

/** The numbers of all lines that the page holds. */
async function heldNumbers(page) {
  return (await copiedAll(page)).split('\n').map(numberOf).filter((number) => !Number.isNaN(number));
}

/** Fails unless the numbers are `first`, `first + 1`, … up to `last`. */
function follows(numbers, first, last) {
  assert.equal(numbers.length, last - first + 1);
  numbers.forEach((number, index) => assert.equal(number, first + index));
}

const one = (agent) => agent.append('app.log', numbered(0, 500));

test('live lines are there within five seconds, without typing', async () => {
  await withAgent({}, (agent) => {
    agent.append('app.log', numbered(0, 10));
    agent.append('other.log', numbered(0, 10));
  }, async (agent) => {
    await withPage(browser, `${agent.url}/`, {}, async (page) => {
      const start = performance.now();
      agent.append('app.log', numbered(77_777, 1));
      await sees(page, 'number 77777 end');
      assert.ok(performance.now() - start < 5000);
    });
  });
});

test('the view keeps its place to the pixel while 5,000 lines come', async () => {
  await withAgent({}, one, async (agent) => {
    await withPage(browser, `${agent.url}/ui/logs`, {}, async (page) => {
      await sees(page, 'number 499 end');
      await list(page).hover();
      await page.mouse.wheel(0, -1500);
      await until('the end is out of sight', async () => !(await texts(page)).some((text) => text.includes('number 499 end')));
      const before = await places(page);
      for (let count = 0; count < 10; count += 1) agent.append('app.log', numbered(500 + count * 500, 500));
      await until('5,000 are counted', async () => /5,000 new lines/.test(await page.getByRole('button', { name: /new lines/ }).textContent()));
      assert.deepEqual(await places(page), before);
      await page.keyboard.press('End');
      await sees(page, 'number 5499 end');
    });
  });
});

test('after kill -9 of the agent, each line is there once and none is missing', async () => {
  await withAgent({}, one, async (agent) => {
    await withPage(browser, `${agent.url}/ui/logs?from=all`, { allowErrors: [/WebSocket|Failed to load|ERR_/] }, async (page) => {
      await sees(page, 'number 499 end');
      let next = 500;
      for (let kill = 0; kill < 3; kill += 1) {
        agent.append('app.log', numbered(next, 300));
        next += 300;
        await agent.stop('SIGKILL');
        agent.append('app.log', numbered(next, 200));
        next += 200;
        await page.getByText(/Reconnecting/).first().waitFor();
        await agent.start();
        await sees(page, `number ${next - 1} end`);
      }
      follows(await heldNumbers(page), 0, next - 1);
    });
  });
});

test('a proxy that cuts the socket costs nothing', async () => {
  await withAgent({}, one, async (agent) => {
    const proxy = await new Proxy(agent).start();
    try {
      await withPage(browser, `${proxy.url}/ui/logs?from=all`, { allowErrors: [/WebSocket|Failed to load|ERR_/] }, async (page) => {
        await sees(page, 'number 499 end');
        let next = 500;
        for (let cut = 0; cut < 4; cut += 1) {
          agent.append('app.log', numbered(next, 250));
          next += 250;
          proxy.cut();
          agent.append('app.log', numbered(next, 250));
          next += 250;
          await sees(page, `number ${next - 1} end`);
        }
        follows(await heldNumbers(page), 0, next - 1);
      });
    } finally {
      await proxy.stop();
    }
  });
});

test('a hidden tab closes its socket and goes on where it was', async () => {
  await withAgent({}, one, async (agent) => {
    await withPage(browser, 'about:blank', {}, async (page) => {
      await page.clock.install();
      await page.goto(`${agent.url}/ui/logs?from=all`);
      await sees(page, 'number 499 end');
      const hide = (isHidden) => page.evaluate((isHidden) => {
        Object.defineProperty(document, 'visibilityState', { value: isHidden ? 'hidden' : 'visible', configurable: true });
        Object.defineProperty(document, 'hidden', { value: isHidden, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      }, isHidden);
      await hide(true);
      await page.clock.fastForward(61_000);
      await until('no tail is left', async () => (await agent.json('/status?sources=0')).tails.running === 0);
      agent.append('app.log', numbered(500, 100));
      await agent.hasLines(600);
      await hide(false);
      await sees(page, 'number 599 end');
      follows(await heldNumbers(page), 0, 599);
    });
  });
});

test('pause holds still, and space goes on', async () => {
  await withAgent({}, one, async (agent) => {
    await withPage(browser, `${agent.url}/ui/logs`, {}, async (page) => {
      await sees(page, 'number 499 end');
      await rows(page).last().focus();
      await page.keyboard.press('Space');
      await reads(page, /Paused/);
      agent.append('app.log', numbered(500, 50));
      await agent.hasLines(550);
      assert.ok(!(await texts(page)).some((text) => text.includes('number 549 end')));
      await page.keyboard.press('Space');
      await sees(page, 'number 549 end');
    });
  });
});

test('a selection survives 10,000 lines and copies what was selected', async () => {
  await withAgent({}, (agent) => agent.append('app.log', numbered(0, 6000)), async (agent) => {
    await agent.hasLines(6000);
    await withPage(browser, `${agent.url}/ui/logs?from=all`, {}, async (page) => {
      await sees(page, 'number 5999 end');
      await page.keyboard.press('g');
      await sees(page, 'number 0 end');
      await rows(page).filter({ hasText: 'number 3 end' }).getByRole('link').first().click();
      // Three thousand rows further.
      await list(page).hover();
      await page.mouse.wheel(0, 3000 * 20 - 400);
      await until('number 3003 is in sight', async () => {
        if ((await texts(page)).some((text) => text.includes('number 3003 end'))) return true;
        await page.mouse.wheel(0, 200);
        return false;
      });
      await rows(page).filter({ hasText: 'number 3003 end' }).getByRole('link').first().click({ modifiers: ['Shift'] });
      agent.append('app.log', numbered(6000, 10_000));
      await agent.hasLines(16_000);
      const text = await copied(page);
      follows(text.split('\n').map(numberOf).filter((number) => !Number.isNaN(number)), 3, 3003);
    });
  });
});
