// One line: its values become filters, columns, counts and copies; what stands around it; the file that it is saved in.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';

import { until, withAgent } from './support/agent.mjs';
import { launch, withPage } from './support/page.mjs';
import { bar, detail, list, reads, rows, sees, texts } from './support/view.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const LINES = 400;

/** Orders of a shop, one in ten of them failed. */
function orders(agent) {
  const start = Date.now() - LINES * 1000;
  const lines = Array.from({ length: LINES }, (_, index) => JSON.stringify({
    level: index % 10 === 0 ? 'error' : 'info', time: new Date(start + index * 1000).toISOString(), msg: index % 10 === 0 ? 'order failed' : 'order paid', order: index,
    status: index % 10 === 0 ? 504 : 200, took: `${index}ms`, http: { route: '/pay', user: { id: index % 7 } }, tags: ['a', 'b'],
  }));
  agent.append('orders.log', `${lines.join('\n')}\n`);
}

async function withOrders(options, work) {
  await withAgent({}, orders, async (agent) => {
    await agent.hasLines(LINES);
    await withPage(browser, `${agent.url}/ui/logs?live=0`, options, async (page) => {
      await rows(page).first().waitFor();
      await work(page, agent);
    });
  });
}

const query = (page) => new URL(page.url()).searchParams.get('q') ?? '';

/** Opens the detail of a line that says `text`. */
async function openLine(page, text) {
  await list(page).getByText(text).last().click();
  await detail(page).waitFor();
}

const action = (page, name) => detail(page).getByRole('button', { name, exact: true }).first();

test('values become filters at every depth, and go again', async () => {
  await withOrders({}, async (page) => {
    await openLine(page, 'order failed');
    await action(page, 'Only lines with status 504').click();
    await until('only failed orders are shown', async () => {
      const shown = (await texts(page)).filter((row) => row.includes('order '));
      return shown.length > 0 && shown.every((row) => row.includes('status=504'));
    });
    assert.match(query(page), /\| json \| status="504"/);
    await action(page, 'Only lines with status 504').click();
    await until('the filter is gone', async () => !query(page).includes('status'));
    await action(page, /^No lines with http\.user\.id \d$/).click();
    await until('the nested value is excluded', async () => /\| http_user_id!="\d"/.test(query(page)));
  });
});

test('values are counted in the range', async () => {
  await withOrders({}, async (page) => {
    await openLine(page, 'order failed');
    await action(page, 'Count the values of status in the range').click();
    await detail(page).getByRole('button', { name: 'Only lines with status 200: 360' }).waitFor();
    await detail(page).getByRole('button', { name: 'Only lines with status 504: 40' }).waitFor();
  });
});

test('a value becomes a column, and the address holds it', async () => {
  await withOrders({}, async (page) => {
    await openLine(page, 'order failed');
    await action(page, 'Column for order').click();
    await page.getByRole('button', { name: 'Remove column order' }).waitFor();
    await until('the address says so', () => /cols=order/.test(page.url()));
  });
});

test('copying works where browsers offer no clipboard', async () => {
  await withOrders({}, async (page) => {
    await page.addInitScript(() => Object.defineProperty(window, 'isSecureContext', { value: false }));
    await page.reload();
    await rows(page).first().waitFor();
    await openLine(page, 'order failed');
    await action(page, 'Copy status 504').click();
    await page.getByText('Copied status').first().waitFor();
    await bar(page).focus();
    await page.keyboard.press('Control+V');
    await until('the value is pasted', async () => (await bar(page).inputValue()) === '504');
  });
});

test('all tabs of the detail say what was stored', async () => {
  await withOrders({}, async (page) => {
    await openLine(page, 'order failed');
    await detail(page).getByRole('tab', { name: 'JSON' }).click();
    await detail(page).getByText('"status": 504').waitFor();
    await detail(page).getByRole('tab', { name: 'Raw' }).click();
    const raw = JSON.parse(await detail(page).getByLabel('Raw text of the line').textContent());
    assert.equal(raw.status, 504);
    await page.keyboard.press('Escape');
    await detail(page).waitFor({ state: 'detached' });
  });
});

test('what stands around a line is unfiltered, and the way back is short', async () => {
  await withOrders({}, async (page) => {
    await bar(page).fill('failed');
    await bar(page).press('Enter');
    await until('only failed orders are shown', async () => (await texts(page)).every((row) => !row.includes('order paid')));
    await openLine(page, 'order failed');
    await page.keyboard.press('c');
    await sees(page, 'order paid');
    await page.getByRole('button', { name: /Back to/ }).click();
    await until('only failed orders are shown again', async () => {
      const shown = await texts(page);
      return shown.some((row) => row.includes('order failed')) && shown.every((row) => !row.includes('order paid'));
    });
  });
});

test('where the file was rotated and the agent restarted is told in its place, in the list and around a line', async () => {
  await withAgent({}, (agent) => agent.append('app.log', 'one\ntwo\n'), async (agent) => {
    await agent.hasLines(2);
    fs.renameSync(agent.file('app.log'), agent.file('app.log.1'));
    agent.append('app.log', 'three\n');
    await agent.hasLines(3);
    await agent.stop();
    await agent.start();
    agent.append('app.log', 'four\n');
    await agent.hasLines(4);
    const told = [/one/, /two/, /^The file was rotated here/, /three/, /^The agent was restarted here/, /four/];
    const isTold = async (page) => {
      const found = (await texts(page)).slice(-told.length);
      return told.every((text, index) => text.test(found[index]));
    };
    await withPage(browser, `${agent.url}/ui/logs`, {}, async (page) => {
      await until('the list tells it', () => isTold(page));
      await list(page).getByText('two').click();
      await page.keyboard.press('c');
      await reads(page, /Around/i);
      await until('what is around the line tells it', () => isTold(page));
    });
  });
});

test('the download holds exactly the answer', async () => {
  await withOrders({}, async (page) => {
    await bar(page).fill('failed');
    await bar(page).press('Enter');
    await until('the answer is shown', async () => (await texts(page)).every((row) => !row.includes('order paid')));
    await reads(page, /^40 lines/);
    const plain = await saved(page, async () => page.getByText('JSON Lines').click());
    assert.match(plain.name, /^logs_\d{4}-\d\d-\d\dT\d\d-\d\d_40-lines\.jsonl$/);
    const lines = plain.bytes.toString().trimEnd().split('\n').map((line) => JSON.parse(JSON.parse(line).line));
    assert.deepEqual(lines.map((line) => line.order), Array.from({ length: 40 }, (_, index) => index * 10));
    const compressed = await saved(page, async () => {
      await page.getByText('JSON Lines').click();
      await page.getByText('Compressed').click();
    });
    assert.match(compressed.name, /_40-lines\.jsonl\.gz$/);
    assert.deepEqual(gunzipSync(compressed.bytes), plain.bytes);
  });
});

/** The file that is downloaded when `choose` has chosen what it is. */
async function saved(page, choose) {
  await page.getByRole('button', { name: 'Download' }).click();
  await choose();
  const begun = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download' }).click();
  const download = await begun;
  return { name: download.suggestedFilename(), bytes: fs.readFileSync(await download.path()) };
}
