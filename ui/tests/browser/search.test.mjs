// What is searched for is seen in the lines; what cannot be searched for, or is in vain, is shown where it stands.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { until, withAgent } from './support/agent.mjs';
import { shopLines } from './support/logs.mjs';
import { launch, withPage } from './support/page.mjs';
import { Proxy } from './support/proxy.mjs';
import { bar, list, reads, rows, sees, texts } from './support/view.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const LINES = 3000;

async function withShop(address, options, work) {
  const prepare = (agent) => {
    for (const service of ['checkout', 'api']) agent.append(`${service}.log`, `${shopLines(service, LINES, 50).join('\n')}\n`);
  };
  await withAgent({}, prepare, async (agent) => {
    await agent.hasLines(2 * LINES);
    await withPage(browser, agent.url + address, options, async (page) => {
      await bar(page).waitFor();
      await work(page);
    });
  });
}

/** The texts that are coloured as `name`, each once. */
const coloured = (page, name) => page.evaluate((of) => [...new Set([...(CSS.highlights.get(of) ?? [])].map(String))].sort(), name);
const addressOf = (q, more = '') => `/ui/logs?live=0&q=${encodeURIComponent(q)}${more}`;

test('hits of the search are coloured in the rows, those of find besides', async () => {
  await withShop('/ui/logs?live=0', {}, async (page) => {
    await bar(page).fill('TIMEOUT');
    await until('hits are coloured', async () => (await coloured(page, 'searched')).join() === 'timeout');
    await bar(page).press('Enter');
    await list(page).focus();
    await page.keyboard.press('/');
    await page.keyboard.type('retry');
    await until('what is found is coloured', async () => (await coloured(page, 'hit')).join() === 'retry');
    assert.deepEqual(await coloured(page, 'searched'), ['timeout']);
    await page.getByRole('button', { name: 'Clear' }).click();
    await until('nothing is searched for', async () => (await coloured(page, 'searched')).length === 0);
  });
});

test('an expression is coloured; one that could take for ever is searched for alone', async () => {
  await withShop(addressOf('{service_name="checkout"} |~ `retry \\d of`'), {}, async (page) => {
    await until('hits are coloured', async () => (await coloured(page, 'searched')).every((text) => /^retry \d of$/.test(text)) && (await coloured(page, 'searched')).length > 1);
  });
  await withShop(addressOf('{service_name="checkout"} |~ `(\\w+ ?)+paid`'), {}, async (page) => {
    await sees(page, 'paid');
    assert.deepEqual(await coloured(page, 'searched'), []);
  });
});

test('an expression to find that a link brought waits for Enter', async () => {
  await withShop(addressOf('{service_name="checkout"}', `&find=${encodeURIComponent('/order \\d+/')}`), {}, async (page) => {
    await reads(page, 'Enter finds it');
    assert.deepEqual(await coloured(page, 'hit'), []);
    await page.getByRole('textbox', { name: 'Find within the lines' }).press('Enter');
    await until('it is found', async () => (await coloured(page, 'hit')).some((text) => /^order \d+$/.test(text)));
  });
});

test('a regular expression is underlined where the server says it is wrong; the lines stay', async () => {
  await withShop(addressOf('{service_name="checkout"}'), { allowErrors: [/status of 400/] }, async (page) => {
    await page.getByRole('button', { name: 'Regular expression' }).click();
    await bar(page).fill('order (paid|failed');
    await reads(page, /unclosed group/);
    const wrong = page.getByRole('search').first().locator('.q-wrong');
    await wrong.waitFor();
    assert.equal(await wrong.textContent(), '(');
    // It lies under that very character of the box.
    const [box, mark] = [await bar(page).boundingBox(), await wrong.boundingBox()];
    assert.ok(box.x < mark.x && mark.x < box.x + 120 && Math.abs(mark.y + mark.height / 2 - box.y - box.height / 2) < 4, JSON.stringify([box, mark]));
    await sees(page, 'order');
    await bar(page).fill('order (paid|failed)');
    await until('nothing is wrong', async () => (await wrong.count()) === 0);
    await until('it is searched for', () => page.url().includes('failed'));
  });
});

test('a condition that no line meets is struck through, and says so', async () => {
  await withShop(addressOf('{service_name="checkout"} |= `zebra` |~ "(?i)timeout"', '&from=all'), {}, async (page) => {
    const chip = page.getByRole('button', { name: /contains "zebra" Aa ?0 lines in this range/ });
    await chip.waitFor();
    assert.equal(await page.getByRole('button', { name: /0 lines in this range/ }).count(), 1);
    await page.getByRole('button', { name: 'Remove contains "zebra" Aa' }).click();
    await sees(page, 'timeout');
    assert.equal(await page.getByRole('button', { name: /0 lines in this range/ }).count(), 0);
  });
});

test('the histogram counts the lines that the list holds, though its bars reach beyond the range', async () => {
  const prepare = (agent) => agent.append('checkout.log', `${shopLines('checkout', LINES, 50).join('\n')}\n`);
  await withAgent({}, prepare, async (agent) => {
    await agent.hasLines(LINES);
    const [start, end] = [33, 5].map((minutes) => new Date(Date.now() - minutes * 60_000 - 17_123).toISOString());
    const answer = await (await fetch(`${agent.url}/api/v1/lines?limit=100000&start=${start}&end=${end}`)).text();
    const listed = answer.split('\n').filter((record) => record.startsWith('[')).length;
    assert.ok(1000 < listed && listed < LINES, `${listed} lines`);
    await withPage(browser, `${agent.url}/ui/logs?from=${start}&to=${end}`, {}, async (page) => {
      await until('it counts as many, also once it knows their levels', async () => {
        const words = await page.getByRole('slider', { name: /^Bars/ }).getAttribute('aria-valuetext');
        return words.includes(`, ${listed.toLocaleString('en')} lines: `);
      });
    });
  });
});

test('the next error is found beyond the lines that are loaded, also around a line', async () => {
  const prepare = (agent) => {
    const start = Date.now() - 3_000_000;
    const lines = Array.from({ length: 6000 }, (_, index) => `${new Date(start + index * 400).toISOString()} ${index === 100 || index === 5990 ? 'ERROR' : 'INFO'} number ${index}`);
    agent.append('app.log', `${lines.join('\n')}\n`);
  };
  await withAgent({}, prepare, async (agent) => {
    await agent.hasLines(6000);
    await withPage(browser, `${agent.url}/ui/logs?live=0&from=all`, {}, async (page) => {
      await sees(page, /number 5990$/);
      await list(page).focus();
      await page.keyboard.press('E');
      await page.keyboard.press('E');
      await sees(page, /number 100$/);
      await until('the address says so', () => /[?&]at=/.test(page.url()));
      await page.keyboard.press('e');
      await sees(page, /number 5990$/);
      await page.keyboard.press('c');
      await reads(page, /Back to/);
      // The lines around it, and not those that were there before.
      await page.locator('.context-lines [role=row][aria-current=true]').first().waitFor();
      await page.keyboard.press('E');
      await sees(page, /number 100$/);
      await until('the address says so', () => /[?&]around=/.test(page.url()));
    });
  });
});

test('around a line 20 and 200 more are shown, loaded or not, up to the ends', async () => {
  await withShop(addressOf('{service_name="checkout"}'), {}, async (page) => {
    await sees(page, 'order');
    await list(page).focus();
    await page.keyboard.press('k');
    await page.keyboard.press('c');
    await reads(page, /Back to/);
    const time = async () => (await texts(page))[0].slice(0, 12);
    const moved = async (name) => {
      const from = await time();
      await page.getByRole('button', { name, exact: true }).click();
      await until('other lines are shown', async () => (await time()) !== from);
      return (Date.parse(`2026-01-01T${from}Z`) - Date.parse(`2026-01-01T${await time()}Z`)) / 1000;
    };
    // A line a second, and the row that is left above the first one.
    const near = (seconds, lines) => assert.ok(Math.abs(seconds - lines) <= 2, `${seconds} s instead of ${lines}`);
    await until('the line is in the middle', async () => (await texts(page)).length > 10);
    near(await moved('20 earlier'), 20);
    near(await moved('200 earlier'), 200);
    near(-(await moved('20 later')), 20);
    await page.getByRole('button', { name: 'from the beginning' }).click();
    await reads(page, 'The first line there is');
    await page.getByRole('button', { name: 'to the end' }).click();
    await reads(page, 'The last line there is');
  });
});

test('counting that takes too long is taken back, and leaves no error in the log of the browser', async () => {
  const prepare = (agent) => agent.append('checkout.log', `${shopLines('checkout', 300, 10).join('\n')}\n`);
  await withAgent({}, prepare, async (agent) => {
    agent.append('other.log', 'second\n');
    await agent.hasLines(301);
    const proxy = await new Proxy(agent).start();
    let [counting, given] = [0, 0];
    // It never answers what is counted.
    const answer = proxy.answer.bind(proxy);
    proxy.answer = (request, response) => {
      if (!request.url.includes('/loki/api/v1/query')) return answer(request, response);
      assert.doesNotMatch(request.url, /timeout=/);
      counting += 1;
      response.on('close', () => (given += 1));
      return undefined;
    };
    try {
      await withPage(browser, `${proxy.url}/ui/`, {}, async (page) => {
        await page.getByRole('checkbox').first().waitFor();
        await until('shares of errors are asked for', () => counting > 0);
        await until('the request is taken back', () => given > 0);
      });
    } finally {
      await proxy.stop();
    }
  });
});

test('what another query counts is given up before its lines are there', async () => {
  const prepare = (agent) => agent.append('checkout.log', `${shopLines('checkout', 300, 10).join('\n')}\n`);
  await withAgent({}, prepare, async (agent) => {
    await agent.hasLines(300);
    const proxy = await new Proxy(agent).start();
    let [counting, given] = [0, 0];
    let isSearched = false;
    // It answers neither what is counted nor what is searched for.
    const answer = proxy.answer.bind(proxy);
    proxy.answer = (request, response) => {
      if (request.url.includes('/loki/api/v1/query_range')) {
        counting += 1;
        response.on('close', () => (given += 1));
        return undefined;
      }
      isSearched ||= request.url.includes('/lines') && request.url.includes('timeout');
      return isSearched ? undefined : answer(request, response);
    };
    try {
      await withPage(browser, `${proxy.url}/ui/logs?live=0`, {}, async (page) => {
        await sees(page, 'order');
        await until('lines are counted', () => counting > given);
        await bar(page).fill('timeout');
        await until('it is searched for', () => isSearched);
        await until('the request is taken back', () => given === counting, 5_000);
      });
    } finally {
      await proxy.stop();
    }
  });
});

test('on a phone each line is a target for a finger', async () => {
  await withShop(addressOf('{service_name=~"checkout|api"}'), { width: 390, height: 844, hasTouch: true, isMobile: true }, async (page) => {
    await sees(page, 'order');
    const heights = await rows(page).evaluateAll((all) => all.filter((row) => row.classList.contains('line')).map((row) => row.getBoundingClientRect().height));
    assert.ok(heights.length > 10 && Math.min(...heights) >= 44, `${Math.min(...heights)} px`);
    assert.ok(heights.some((height) => height > 44));
  });
});

test('on a phone what stands around a line is in the middle, and the way back leads to the place', async () => {
  await withShop(addressOf('{service_name="checkout"} |~ "(?i)timeout"'), { width: 390, height: 844, hasTouch: true, isMobile: true }, async (page) => {
    await sees(page, 'timeout');
    await page.mouse.wheel(0, -1500);
    await until('older lines are shown', async () => (await page.evaluate(() => scrollY)) > 0);
    await list(page).getByText('failed: timeout').nth(3).click();
    await page.getByRole('button', { name: 'Around it' }).click();
    await page.getByRole('button', { name: /^Back to/ }).waitFor();
    // The page scrolls: what is hidden meanwhile has no say in that, nor makes it wider.
    await until('the line is in the middle', async () => {
      const box = await page.locator('[role=grid] [aria-current=true]').last().boundingBox();
      return box !== null && 300 < box.y && box.y < 500;
    });
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
    await page.getByRole('button', { name: /^Back to/ }).click();
    await until('the line is where it was left', async () => {
      const shown = await texts(page);
      return shown.length > 5 && shown.every((text) => text.includes('timeout'));
    });
  });
});

test('patterns are there at once on a phone', async () => {
  await withShop('/ui/logs?tab=patterns', { width: 390, height: 844, hasTouch: true, isMobile: true }, async (page) => {
    const table = page.getByRole('table').first();
    await table.waitFor();
    await until('they are on screen', async () => (await table.boundingBox())?.y < 600);
    await until('they stay there', async () => (await page.evaluate(() => scrollY)) === 0);
  });
});
