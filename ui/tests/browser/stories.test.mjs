// The five stories of people with a problem, each with the number of actions that is enough for somebody who has read nothing.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, test } from 'node:test';

import { until, withAgent } from './support/agent.mjs';
import { container, containerId, cri, random, shopLine, shopLines } from './support/logs.mjs';
import { launch, withPage } from './support/page.mjs';
import { Person, bar, list, reads, rows, sees, texts } from './support/view.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const MINUTE = 60_000;

/** Appends lines of a service to a container's file, evenly from `start` to `end`. */
function run(file, service, count, start, end, seed = 1) {
  const next = random(seed);
  const lines = Array.from({ length: count }, (_, index) => {
    const time = new Date(start + ((end - start) * index) / count);
    return cri(time, shopLine(next, service, time));
  });
  fs.appendFileSync(file, lines.join(''));
}

/** A shop in a namespace: checkout died yesterday at 03:12 and runs again since; the others run all the time. */
function night(agent) {
  const now = Date.now();
  const midnight = now - (now % (24 * 60 * MINUTE));
  const died = midnight - 24 * 60 * MINUTE + (3 * 60 + 12) * MINUTE + 7000;
  const pod = { namespace: 'shop', pod: 'checkout-7d9f8b6c5d-x2x4z', name: 'checkout', uid: '0b9e1c7a-1111-4222-8333-444455556666' };
  const first = container(agent, { ...pod, id: containerId(1) });
  run(first, 'checkout', 3000, died - 120 * MINUTE, died - 2000, 11);
  fs.appendFileSync(first, cri(new Date(died - 1000), 'FATAL out of memory: cannot allocate 1.2 GiB', 'stderr'));
  const second = container(agent, { ...pod, id: containerId(2), restart: 1 });
  fs.appendFileSync(second, cri(new Date(died + 23_000), 'INFO checkout 2.4.1 starts'));
  for (const [service, seed] of [['api', 3], ['web', 4]]) {
    const file = container(agent, { namespace: 'shop', pod: `${service}-5c6d7e8f9a-k7m2p`, name: service, uid: `0b9e1c7a-2222-4222-8333-44445555000${seed}`, id: containerId(seed) });
    run(file, service, 4000, now - 40 * 60 * MINUTE, now, seed);
  }
  return { died };
}

test('story 1: the container that died at night', async () => {
  await withAgent({ collector: 'Kubernetes' }, night, async (agent) => {
    await agent.hasLines(11_002);
    await withPage(browser, `${agent.url}/`, {}, async (page) => {
      const person = new Person(page);
      await person.click(page.getByRole('link', { name: /checkout/ }).first());
      await rows(page).first().waitFor();
      await page.keyboard.press('t');
      await page.getByRole('dialog', { name: 'Time range' }).getByRole('textbox').first().waitFor();
      await person.press('yesterday 3am..4am', 'Enter');
      await sees(page, 'out of memory');
      await person.click(list(page).getByText('out of memory'));
      await person.press('c');
      await sees(page, 'checkout 2.4.1 starts');
      await sees(page, 'out of memory');
      await reads(page, /Back to/);
      await sees(page, 'restarted here');
      person.tookAtMost(5);
    });
  });
});

test('story 2: one request through all services', async () => {
  const ago = Date.now() - 3 * 24 * 60 * MINUTE;
  const prepare = (agent) => {
    for (const service of ['web', 'api', 'checkout', 'ledger']) agent.append(`${service}.log`, shopLines(service, 2000, 6 * 24 * 60).join('\n') + '\n');
    const hit = (name, ms, text) => agent.append(name, `${new Date(ago + ms).toISOString()} INFO ${text} req-7f3a9\n`);
    // Files are read in the order of their lines, so the older line comes last here and first on the page.
    hit('front.log', 0, 'accepted');
    hit('stock.log', 20, 'reserved');
    hit('pay.log', 40, 'charged');
    hit('mail.log', 60, 'sent');
  };
  await withAgent({}, prepare, async (agent) => {
    await agent.hasLines(8004);
    await withPage(browser, `${agent.url}/ui/`, {}, async (page) => {
      const person = new Person(page);
      await bar(page).waitFor();
      await person.paste(bar(page), 'req-7f3a9');
      await bar(page).press('Enter');
      person.actions += 1;
      await sees(page, 'sent req-7f3a9');
      const found = (await texts(page)).filter((text) => text.includes('req-7f3a9'));
      assert.deepEqual(found.map((text) => /accepted|reserved|charged|sent/.exec(text)?.[0]), ['accepted', 'reserved', 'charged', 'sent']);
      await reads(page, /Nothing in the last 1 h/);
      person.tookAtMost(2);
    });
  });
});

test('story 3: is it getting worse', async () => {
  const prepare = (agent) => {
    const now = Date.now();
    const lines = [];
    for (let minute = 179; minute >= 0; minute -= 1) {
      const errors = minute < 60 ? 3 : 1;
      for (let index = 0; index < 20; index += 1) {
        const time = new Date(now - minute * MINUTE - (20 - index) * 1000).toISOString();
        lines.push(index < errors ? `${time} ERROR upstream ${minute < 30 ? 'certificate expired' : 'refused'}` : `${time} INFO served ${minute}${index}`);
      }
    }
    agent.append('api.log', `${lines.join('\n')}\n`);
    agent.append('other.log', shopLines('ledger', 200, 60).join('\n') + '\n');
  };
  await withAgent({}, prepare, async (agent) => {
    await agent.hasLines(3800);
    await withPage(browser, `${agent.url}/ui/`, {}, async (page) => {
      await page.getByRole('link', { name: /api/ }).first().click();
      await reads(page, /the hour before/);
      const person = new Person(page);
      await person.click(page.getByRole('button', { name: /^error/i }).first());
      await until('only errors are left', async () => {
        const all = await texts(page);
        return all.length > 5 && all.every((text) => !text.includes('INFO served'));
      });
      await person.click(page.getByRole('tab', { name: 'Patterns' }));
      const row = page.getByRole('table').getByRole('row', { name: /certificate expired/ });
      await row.getByText(/new/i).waitFor();
      person.tookAtMost(2);
    });
  });
});

test('story 4: follow three pods', async () => {
  const names = ['api-5c6d7e8f9a-x2x4z', 'api-5c6d7e8f9a-b7k9m', 'web-5c6d7e8f9a-q8w5t'];
  const files = [];
  const prepare = (agent) => {
    names.forEach((pod, index) => {
      const name = pod.split('-')[0];
      files.push(container(agent, { namespace: 'shop', pod, name, uid: `0b9e1c7a-3333-4222-8333-44445555000${index}`, id: containerId(20 + index) }));
      run(files[index], name, 400, Date.now() - 20 * MINUTE, Date.now(), index);
    });
    const other = container(agent, { namespace: 'kube-system', pod: 'coredns-7db6d8ff4d-x7k2p', name: 'coredns', uid: '0b9e1c7a-4444-4222-8333-444455550009', id: containerId(30) });
    run(other, 'ledger', 100, Date.now() - 20 * MINUTE, Date.now(), 9);
  };
  await withAgent({ collector: 'Kubernetes' }, prepare, async (agent) => {
    await agent.hasLines(1300);
    await withPage(browser, `${agent.url}/ui/`, {}, async (page) => {
      const person = new Person(page);
      await person.click(page.getByRole('checkbox', { name: /api/ }).first());
      await person.click(page.getByRole('checkbox', { name: /web/ }).first());
      await person.click(page.getByText(/^Follow \d/));
      await rows(page).first().waitFor();
      const write = (text) => files.forEach((file, index) => fs.appendFileSync(file, cri(new Date(), `${text} of ${index}`)));
      write('alpha');
      await sees(page, 'alpha of 2');
      await list(page).hover();
      await page.mouse.wheel(0, -600);
      await until('the view is no longer pinned', async () => !(await texts(page)).some((text) => text.includes('alpha of')));
      const before = await texts(page);
      for (let index = 0; index < 50; index += 1) write(`later ${index}`);
      const chip = page.getByRole('button', { name: /new lines/ });
      await until('the chip counts them', async () => /150 new lines/.test(await chip.textContent()));
      assert.deepEqual(await texts(page), before);
      await person.press('End');
      await sees(page, 'later 49 of 2');
      person.tookAtMost(4);
    });
  });
});

test('story 5: the exact lines, to a colleague', async () => {
  const prepare = (agent) => agent.append('app.log', Array.from({ length: 5000 }, (_, index) => {
    const time = new Date(Date.now() - (5000 - index) * 100).toISOString();
    return `${time} INFO step ${index} of the plan\n`;
  }).join(''));
  await withAgent({}, prepare, async (agent) => {
    await agent.hasLines(5000);
    let link;
    await withPage(browser, `${agent.url}/ui/`, { permissions: ['clipboard-write'] }, async (page) => {
      // The page may write to the clipboard and not read it.
      await page.evaluate(() => {
        const write = navigator.clipboard.writeText.bind(navigator.clipboard);
        navigator.clipboard.writeText = (text) => write(window.copiedText = text);
      });
      await sees(page, 'step 4999');
      const person = new Person(page);
      const time = (text) => rows(page).filter({ hasText: text }).getByRole('link').first();
      await person.click(time('step 4980 '));
      await person.click(time('step 4991 '), { modifiers: ['Shift'] });
      await person.click(page.getByRole('button', { name: 'Copy link' }));
      link = await page.waitForFunction(() => window.copiedText).then((handle) => handle.jsonValue());
      person.tookAtMost(3);
    });
    assert.match(link, /at=/);
    await agent.stop();
    await agent.start();
    await withPage(browser, link, {}, async (page) => {
      await sees(page, 'step 4980 ');
      const marked = await list(page).evaluate((grid) => [...grid.querySelectorAll('[role=row][aria-current=true]')].map((row) => row.textContent));
      assert.equal(marked.filter((text) => /step 49(8\d|9[01]) /.test(text)).length, 12);
    });
  });
});
