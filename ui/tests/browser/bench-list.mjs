// Measures the line list alone in Chromium, against the budgets of its specification: `node tests/browser/bench-list.mjs [--check]`. Needs no agent.
//
// `BENCH_LINES` says how many lines are held (default 1000000). `--check` fails where something that no busy machine excuses is over its limit: gaps
// between rows, the line under the eye, memory.
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

import { launch, open } from './support/page.mjs';

const LINES = Number(process.env.BENCH_LINES ?? 1_000_000);
const IS_CHECK = process.argv.includes('--check');
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; require-trusted-types-for 'script'; trusted-types 'none'";
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

const over = [];

function note(what, unit, limit, value, isFirm = false) {
  const text = (number) => `${number < 10 ? number.toFixed(number < 0.1 ? 5 : 2) : number.toFixed(0)} ${unit}`.padStart(14);
  console.log(`${what.padEnd(58)} ${text(value)} ${text(limit)}${value > limit ? '  over' : ''}`);
  if (value > limit && isFirm) over.push(what);
}

const at = (values, share) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))];

async function main() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'monitoring-list-'));
  const browser = await launch();
  try {
    const root = fileURLToPath(new URL('support', import.meta.url));
    const input = path.join(root, 'list-page.html');
    const output = { outDir: directory, target: 'chrome105', rolldownOptions: { input } };
    await build({ root, configFile: false, logLevel: 'error', base: './', build: output });
    const server = http.createServer((request, response) => {
      const file = path.join(directory, path.normalize(new URL(request.url, 'http://page').pathname));
      if (!fs.existsSync(file)) return response.writeHead(404).end();
      response.writeHead(200, { 'content-type': TYPES[path.extname(file)] ?? 'text/plain', 'content-security-policy': POLICY });
      return fs.createReadStream(file).pipe(response);
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const page = await open(browser);
    await page.goto(`http://127.0.0.1:${server.address().port}/list-page.html`);
    console.log(`${'what'.padEnd(58)} ${'measured'.padStart(14)} ${'limit'.padStart(14)}   ${LINES} lines`);
    await measure(browser, page);
    const wrong = [...page.faults, ...(await page.evaluate(() => window.violations))];
    if (wrong.length > 0) throw new Error(wrong.join('\n'));
    server.close();
  } finally {
    await browser.close();
    fs.rmSync(directory, { recursive: true, force: true });
  }
  if (IS_CHECK && over.length > 0) throw new Error(`Over the limit: ${over.join('; ')}`);
}

async function measure(browser, page) {
  const session = await page.context().newCDPSession(page);
  // Time on the processor, so that a busy machine changes it little.
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const metric = async (name) => (await session.send('Performance.getMetrics')).metrics.find((metric) => metric.name === name).value;
  const heap = async () => {
    await session.send('HeapProfiler.collectGarbage');
    return (await metric('JSHeapUsedSize')) / 1e6;
  };
  const before = await heap();
  await page.evaluate((count) => bench.fill(count), LINES);
  note('memory of the lines', 'MB', 300, (await heap()) - before, true);

  let [tasks, scripts] = [await metric('TaskDuration'), await metric('ScriptDuration')];
  const jumps = await page.evaluate(() => {
    const { list, places } = bench;
    return places(200).map((index) => {
      const start = performance.now();
      list.scrollToIndex(index, 'center');
      list.canvas.getBoundingClientRect();
      return performance.now() - start;
    });
  });
  note('jump to a random place, average', 'ms', 10, jumps.reduce((sum, took) => sum + took) / jumps.length);
  note('the same: processor time of the page', 'ms', 10, (((await metric('TaskDuration')) - tasks) * 1000) / jumps.length);
  note('jump to a random place, worst', 'ms', 100, Math.max(...jumps));

  const exact = await page.evaluate(() => {
    const { list, faults, places } = bench;
    let [rows, worst] = [0, 0];
    for (const index of places(300)) {
      list.scrollToIndex(index, 'center');
      const found = faults();
      rows += found.rows;
      worst = Math.max(worst, found.worst);
    }
    return { rows, worst };
  });
  note(`gaps or overlaps in ${exact.rows} rows at 300 places`, 'px', 0.01, exact.worst, true);

  const moved = await page.evaluate(async () => {
    const { list } = bench;
    const frame = () => new Promise(requestAnimationFrame);
    list.scrollToIndex(Math.floor(list.store.count / 2), 'center');
    await frame();
    let worst = 0;
    for (let step = 0; step < 200; step += 1) {
      const { top } = list.view.getBoundingClientRect();
      const row = [...list.canvas.querySelectorAll('.line')].find((line) => line.getBoundingClientRect().top >= top + 200);
      const id = row.getAttribute('aria-rowindex');
      const from = row.getBoundingClientRect().top;
      list.view.scrollTop -= 100;
      await frame();
      await frame();
      const same = [...list.canvas.querySelectorAll('.line')].find((line) => line.getAttribute('aria-rowindex') === id);
      worst = Math.max(worst, Math.abs(same.getBoundingClientRect().top - from - 100));
    }
    return worst;
  });
  note('the line under the eye, 200 steps of 100 px up', 'px', 0.5, moved, true);

  const gaps = await wheel(page);
  note('wheel, frame p50', 'ms', 17, at(gaps, 0.5));
  note('wheel, frame p99', 'ms', 50, at(gaps, 0.99));

  const rewraps = await page.evaluate(() => {
    const { list } = bench;
    return [false, true, false, true, false, true].map((wrap) => {
      const start = performance.now();
      list.setOptions({ wrap });
      list.draw();
      list.canvas.getBoundingClientRect();
      return performance.now() - start;
    });
  });
  note('rewrapping, median of 6', 'ms', 150, at(rewraps, 0.5));
  note('rewrapping, worst of 6', 'ms', 450, Math.max(...rewraps));

  const streamed = await page.evaluate(async () => {
    const { store, list, lines } = bench;
    store.clear();
    const pieces = Array.from({ length: 250 }, (_, piece) => lines(400, piece * 400));
    const start = performance.now();
    let piece = 0;
    let [worst, last] = [0, start];
    while (piece < pieces.length) {
      // As many pieces as a fast connection brings within a frame.
      for (const end = piece + 25; piece < end; piece += 1) store.prepend(pieces[pieces.length - 1 - piece]);
      await new Promise(requestAnimationFrame);
      worst = Math.max(worst, performance.now() - last);
      last = performance.now();
    }
    list.canvas.getBoundingClientRect();
    return { took: performance.now() - start, worst };
  });
  note('100,000 lines taken in from the new end', 'ms', 600, streamed.took);
  note('the same, longest frame', 'ms', 60, streamed.worst);

  [tasks, scripts] = [await metric('TaskDuration'), await metric('ScriptDuration')];
  await browser.startTracing(page, { categories: ['-*', 'devtools.timeline'] });
  const seconds = await tail(page);
  const frames = JSON.parse(await browser.stopTracing()).traceEvents.filter(({ name }) => name === 'FireAnimationFrame');
  note('the same: longest work in a frame, processor time', 'ms', 16, Math.max(...frames.map(({ tdur = 0 }) => tdur)) / 1000);
  note('the same: processor time of scripts, share of a core', '%', 10, (((await metric('ScriptDuration')) - scripts) / seconds) * 100);
  note('the same: processor time of the page, share of a core', '%', 50, (((await metric('TaskDuration')) - tasks) / seconds) * 100);
  note('memory after all', 'MB', 300, (await heap()) - before, true);
}

/** Gaps between frames while a wheel turns 120 times. */
async function wheel(page) {
  await page.evaluate(() => {
    window.isScrolling = true;
    window.gaps = bench.frames(() => {}, () => !window.isScrolling);
  });
  await page.mouse.move(700, 400);
  for (let turn = 0; turn < 120; turn += 1) {
    await page.mouse.wheel(0, turn % 40 < 30 ? -240 : 480);
    await page.waitForTimeout(16);
  }
  return page.evaluate(() => {
    window.isScrolling = false;
    return window.gaps;
  });
}

/** 10,000 lines a second in frames of 20 ms, as `follow` sends them, with a list that follows. */
async function tail(page) {
  const seconds = Number(process.env.BENCH_SECONDS ?? 20);
  const result = await page.evaluate(async (seconds) => {
    const { store, list, lines } = bench;
    store.clear();
    list.scrollToEnd();
    const total = seconds * 10_000;
    const made = Array.from({ length: total / 200 }, (_, piece) => lines(200, piece * 200));
    let sent = 0;
    let pending = [];
    const start = performance.now();
    const timer = setInterval(() => {
      const due = Math.min(made.length, Math.floor((performance.now() - start) / 20));
      for (; sent < due; sent += 1) pending.push(...made[sent]);
    }, 20);
    const gaps = [];
    let last = start;
    while (sent < made.length || pending.length > 0) {
      const now = await new Promise(requestAnimationFrame);
      gaps.push(now - last);
      last = now;
      store.merge(pending);
      pending = [];
      while (store.count > 100_000) store.evict('start');
    }
    clearInterval(timer);
    const end = store.textAt(store.count - 1);
    return { gaps, end, isAtEnd: list.isPinned, seconds: (performance.now() - start) / 1000 };
  }, seconds);
  note('tail of 10,000 lines a second: frame p50', 'ms', 17, at(result.gaps, 0.5));
  note('the same: frame p99', 'ms', 50, at(result.gaps, 0.99));
  note('the same: lines not at the end', '', 0, result.isAtEnd && result.end.startsWith(`number ${seconds * 10_000 - 1} `) ? 0 : 1, true);
  return result.seconds;
}

await main();
