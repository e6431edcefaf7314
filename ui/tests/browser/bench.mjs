// Measures the page in Chromium against the budgets of its specification, each printed with its limit: `make bench-ui`.
//
// `BENCH_BYTES` says how much log there is (default 1000000000), `BENCH_CORPUS` names a folder with some that was made before. `--check` fails where a median is over its limit times `BENCH_SLACK` (default 3):
// absolute times mean little on a busy machine.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { Agent, until } from './support/agent.mjs';
import { launch, open } from './support/page.mjs';
import { bar, copiedAll, list } from './support/view.mjs';

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));
const BYTES = Number(process.env.BENCH_BYTES ?? 1e9);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 60);
const SLACK = Number(process.env.BENCH_SLACK ?? 3);
const IS_CHECK = process.argv.includes('--check');

const results = [];

/** Notes what was measured: `values` in the unit of the limit. */
function note(what, unit, limit, values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  results.push({ what, unit, limit, median: at(0.5), p95: at(0.95), worst: sorted.at(-1), count: sorted.length });
  const row = results.at(-1);
  console.log(`${what.padEnd(58)} ${format(row.median, unit)} ${format(row.p95, unit)} ${format(row.worst, unit)} ${format(limit, unit)}  ${row.count}`);
}

const format = (value, unit) => `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ${unit}`.padStart(11);

async function main() {
  console.log(`${'what'.padEnd(58)} ${'median'.padStart(11)} ${'p95'.padStart(11)} ${'worst'.padStart(11)} ${'limit'.padStart(11)}  runs`);
  const browser = await launch();
  try {
    await withCorpus(async (agent) => {
      await sizes(agent);
      await searches(browser, agent);
    });
    await withLive((agent) => live(browser, agent));
  } finally {
    await browser.close();
  }
  const over = results.filter((row) => row.median > row.limit * (IS_CHECK ? SLACK : 1));
  console.log(over.length === 0 ? 'Every median is within its limit.' : `Over the limit: ${over.map((row) => row.what).join('; ')}.`);
  if (IS_CHECK && over.length > 0) process.exitCode = 1;
}

/** What the agent sends of the page to a browser. */
async function sizes(agent) {
  const kilobytes = (name) => new Promise((resolve, reject) => {
    http.get(`${agent.url}/ui/${name}`, { headers: { 'accept-encoding': 'gzip' } }, (answer) => {
      let bytes = 0;
      answer.on('data', (piece) => (bytes += piece.length)).on('end', () => resolve(bytes / 1000)).on('error', reject);
    }).on('error', reject);
  });
  const [script, ...others] = await Promise.all(['app.js', 'later.js', 'app.css', ''].map(kilobytes));
  note('the page, compressed', 'kB', 110, [others.reduce((sum, size) => sum + size, script)]);
  note('app.js, compressed', 'kB', 75, [script]);
}

/** An agent that has stored the corpus of the other benches. */
async function withCorpus(work) {
  const agent = new Agent();
  try {
    const { BENCH_CORPUS } = process.env;
    const corpus = ['run', '--quiet', '--release', '--locked', '--example', 'corpus', '--', '--out', agent.root, '--bytes', String(BYTES), '--seed', '1'];
    if (BENCH_CORPUS === undefined) execFileSync('cargo', corpus, { cwd: REPOSITORY, stdio: 'inherit' });
    else fs.cpSync(BENCH_CORPUS, agent.root, { recursive: true });
    // One line of all with a word that stands nowhere else.
    fs.appendFileSync(path.join(agent.root, fs.readdirSync(agent.root).find((name) => name.startsWith('json'))), '{"msg":"needle-req-7f3a9c"}\n');
    await agent.start();
    await until('everything is read', () => isRead(agent), 600_000);
    await atRest(agent);
    await work(agent);
  } finally {
    await agent.remove();
  }
}

async function isRead(agent) {
  const { files, files_read } = (await agent.json('/status')).import;
  return 0 < files && files_read === files;
}

/** Waits until the agent has used next to no processor time for a second. */
async function atRest(agent) {
  const ticks = () => {
    const fields = fs.readFileSync(`/proc/${agent.process.pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return Number(fields[11]) + Number(fields[12]);
  };
  await until('the agent is at rest', async () => {
    const before = ticks();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return ticks() - before <= 2;
  }, 600_000);
}

/** What a person waits for who searches a gigabyte. */
async function searches(browser, agent) {
  const paints = [];
  for (let run = 0; run < 11; run += 1) {
    const page = await open(browser);
    await page.goto(`${agent.url}/ui/`);
    await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length > 0);
    paints.push(await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime));
    await page.context().close();
  }
  note('first paint, cold cache', 'ms', 100, paints);

  const page = await open(browser);
  await page.goto(`${agent.url}/ui/logs?from=all`);
  await list(page).getByRole('row').first().waitFor();
  const searched = [];
  for (let run = 0; run < 11; run += 1) {
    searched.push(await untilRow(page, 'needle-req-7f3a9c', 'needle-req-7f3a9c'));
    await clearSearch(page);
  }
  note('Enter to first row, a rare word in everything', 'ms', 100, searched);

  const typed = [];
  await page.evaluate(() => {
    window.keys = [];
    new PerformanceObserver((entries) => entries.getEntries().forEach((entry) => {
      if (entry.name === 'keydown') window.keys.push(entry.duration);
    })).observe({ type: 'event', durationThreshold: 16, buffered: false });
  });
  await bar(page).focus();
  for (const letter of 'connection timed out') await page.keyboard.type(letter, { delay: 60 });
  typed.push(...(await page.evaluate(() => window.keys)));
  // Shorter events than 16 ms are not reported.
  note('keypress in the bar to drawn', 'ms', 50, typed.length > 0 ? typed : [16]);
  await clearSearch(page);

  await histogram(agent, page);
  await page.context().close();
}

/** Leaves neither text nor chips: the newest lines are there again. */
async function clearSearch(page) {
  await bar(page).fill('');
  const clear = page.getByRole('button', { name: 'Clear', exact: true });
  if (await clear.isVisible()) await clear.click();
  await until('other lines are there', async () => !(await list(page).textContent()).includes('needle') && (await list(page).getByRole('row').count()) > 5);
}

/** Milliseconds from Enter until a row says `text`, seen by the page itself. */
async function untilRow(page, search, text) {
  await bar(page).fill('');
  await page.evaluate((text) => {
    window.found = new Promise((resolve) => {
      const grid = document.querySelector('[role=grid]');
      document.addEventListener('keydown', (event) => {
        if (event.key !== 'Enter') return;
        const start = event.timeStamp;
        const look = () => {
          if (!grid.textContent.includes(text)) return requestAnimationFrame(look);
          resolve(performance.now() - start);
        };
        look();
      }, { once: true, capture: true });
    });
  }, text);
  // Set at once, so that the search that follows the typing has not begun.
  await bar(page).fill(search);
  await bar(page).press('Enter');
  return page.evaluate(() => window.found);
}

/** Both passes of the histogram over everything, as the page asks for them. */
async function histogram(agent, page) {
  for (const [what, isTotal, limit] of [['histogram, total, of everything', true, 50], ['histogram by level, of everything', false, 500]]) {
    const times = [];
    for (let run = 0; run < 5; run += 1) {
      const asked = [];
      const listen = (request) => {
        const url = decodeURIComponent(request.url());
        if (url.includes('query_range') && url.includes('count_over_time') && url.includes('detected_level') !== isTotal) asked.push(request);
      };
      page.on('request', listen);
      await page.reload();
      await list(page).getByRole('row').first().waitFor();
      await until('the pass is answered', async () => asked.length > 0 && (await Promise.all(asked.map((request) => request.response().then((response) => response?.finished())))), 60_000);
      page.off('request', listen);
      // One that was given up took for ever.
      const isGiven = asked.some((request) => request.failure() !== null);
      times.push(isGiven ? Infinity : Math.max(...asked.map((request) => request.timing().responseEnd)) - Math.min(...asked.map((request) => request.timing().requestStart)));
    }
    note(what, 'ms', limit, times);
  }
}

/** An agent over one file that is written to. */
async function withLive(work) {
  const agent = new Agent();
  try {
    agent.append('app.log', line(0));
    agent.append('other.log', line(0));
    await agent.start();
    await work(agent);
  } finally {
    await agent.remove();
  }
}

const line = (number) => `${new Date().toISOString()} ${number % 100 === 0 ? 'ERROR' : 'INFO'} number ${number} of a load test that writes lines of an ordinary length end\n`;

/** Writes `rate` lines a second for `seconds`; resolves to how many there are. */
async function write(agent, rate, seconds, first = 1) {
  const start = performance.now();
  let written = 0;
  while (written < rate * seconds) {
    const due = Math.min(rate * seconds, Math.floor(((performance.now() - start) / 1000) * rate));
    if (written < due) {
      agent.append('app.log', Array.from({ length: due - written }, (_, index) => line(first + written + index)).join(''));
      written = due;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return written;
}

async function live(browser, agent) {
  const first = [];
  const writing = write(agent, 100, 20);
  for (let run = 0; run < 7; run += 1) {
    const page = await open(browser);
    await page.addInitScript(() => {
      const look = () => {
        const text = document.querySelector('[role=grid]')?.textContent ?? '';
        if (text.includes(' end')) window.firstLine = performance.now();
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    await page.goto(`${agent.url}/ui/`);
    await page.waitForFunction(() => window.firstLine);
    first.push(await page.evaluate(() => window.firstLine));
    await page.context().close();
  }
  note('first live line after navigation', 'ms', 300, first);
  await writing;

  const rate = 10_000;
  const page = await open(browser);
  await page.goto(`${agent.url}/ui/logs?from=5m`);
  await list(page).getByRole('row').first().waitFor();
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  const metric = async (name) => (await session.send('Performance.getMetrics')).metrics.find((each) => each.name === name).value;
  await page.evaluate(() => {
    window.gaps = [];
    window.clicks = [];
    let last = performance.now();
    const frame = (now) => {
      window.gaps.push(now - last);
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    new PerformanceObserver((entries) => entries.getEntries().forEach((entry) => {
      if (entry.name === 'click') window.clicks.push(entry.duration);
    })).observe({ type: 'event', durationThreshold: 16 });
  });
  const before = { script: await metric('ScriptDuration'), heap: await metric('JSHeapUsedSize'), nodes: await metric('Nodes'), at: performance.now() };
  const load = write(agent, rate, SECONDS, 1_000_000);
  for (let click = 0; click < SECONDS / 2; click += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await page.getByRole('button', { name: /Live/ }).first().click({ trial: true });
    await page.mouse.click(700, 20);
  }
  const written = await load;
  const lastLine = `number ${1_000_000 + written - 1} of`;
  await until('the last line is on screen', async () => (await list(page).textContent()).includes(lastLine), 60_000);
  const seconds = (performance.now() - before.at) / 1000;
  const share = ((await metric('ScriptDuration')) - before.script) / seconds;
  const gaps = await page.evaluate(() => window.gaps.slice(10));
  const sorted = [...gaps].sort((a, b) => a - b);
  note(`tail of ${rate} lines/s: frame, median`, 'ms', 17, [sorted[Math.floor(sorted.length / 2)]]);
  note(`tail of ${rate} lines/s: frame, p99`, 'ms', 50, [sorted[Math.floor(sorted.length * 0.99)]]);
  note(`tail of ${rate} lines/s: share of a core in script`, '%', 10, [share * 100]);
  const clicks = await page.evaluate(() => window.clicks);
  note(`tail of ${rate} lines/s: a click, answered`, 'ms', 100, clicks.length > 0 ? clicks : [16]);
  await session.send('HeapProfiler.enable');
  await session.send('HeapProfiler.collectGarbage');
  note('the same: heap beyond the start', 'MB', 80, [((await metric('JSHeapUsedSize')) - before.heap) / 1e6]);
  note('the same: DOM nodes beyond the start', '', 50, [(await metric('Nodes')) - before.nodes]);
  note('the same: lines lost', '', 0, [await lost(page, 1_000_000, written)]);
  await page.context().close();
}

/** How many of the lines written last are not held by the page, of those it may hold. */
async function lost(page, first, written) {
  const text = await copiedAll(page);
  const numbers = [...text.matchAll(/number (\d+) of/g)].map((match) => Number(match[1])).filter((number) => first <= number);
  const unique = new Set(numbers);
  if (unique.size < numbers.length) throw new Error(`${numbers.length - unique.size} lines are held twice`);
  const oldest = numbers.reduce((least, number) => Math.min(least, number), first + written);
  return first + written - oldest - unique.size;
}

await main();
