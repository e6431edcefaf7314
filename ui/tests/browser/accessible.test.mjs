// axe-core finds no violation of WCAG 2.2 A and AA, in any state, theme and width.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';

import { Agent } from './support/agent.mjs';
import { close, launch, open } from './support/page.mjs';
import { STATES, everyKind } from './support/states.mjs';

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const EVERYTHING = { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] };
/** All that a theme changes. */
const COLOURS = { type: 'rule', values: ['color-contrast'] };
const WIDTHS = [1440, 768, 390];
/** What a state is about may be an error of a request. */
const ALLOWED = [/Failed to load resource/];

let browser;
const agent = new Agent();
before(async () => {
  everyKind(agent);
  await agent.start();
  await agent.hasLines(12_000);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await agent.remove();
});

// Two at a time: axe keeps a processor busy.
describe('every state', { concurrency: 2 }, () => {
  for (const state of STATES) test(`${state[0]} is accessible`, () => look(state));
});

async function look([, address, prepare, stub]) {
  const found = [];
  for (const width of WIDTHS) {
    const page = await open(browser, { width, height: 900, colorScheme: 'light', reducedMotion: 'reduce', hasTouch: width < 600, allowErrors: ALLOWED });
    await stub?.(page);
    await page.goto(agent.url + address);
    await prepare(page);
    await page.evaluate(AXE);
    for (const [colorScheme, runOnly] of [['light', EVERYTHING], ['dark', COLOURS]]) {
      await page.emulateMedia({ colorScheme });
      await page.waitForFunction((theme) => document.documentElement.dataset.theme === theme, colorScheme);
      // What is drawn by script, in the next frame.
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      const { violations } = await page.evaluate((only) => window.axe.run(document, { runOnly: only, resultTypes: ['violations'] }), runOnly);
      for (const { id, help, nodes: all } of violations) {
        // What an open list lies over is no target meanwhile: a click there closes the list.
        const nodes = all.filter((node) => !(id === 'target-size' && /obscured/.test(node.any[0]?.message)));
        if (nodes.length > 0) found.push(`${width} ${colorScheme}: ${id}: ${help}\n    ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.any[0]?.message ?? ''}`).join('\n    ')}`);
      }
    }
    await close(page);
  }
  assert.deepEqual(found, []);
}
