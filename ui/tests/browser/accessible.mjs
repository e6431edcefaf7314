// axe-core finds no violation of WCAG 2.2 A and AA, in any state, theme and width.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';

import { Agent } from './support/agent.mjs';
import { close, launch, open } from './support/page.mjs';
import { STATES, everyKind } from './support/states.mjs';

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const WIDTHS = [1440, 768, 390];
const THEMES = ['light', 'dark'];

let browser;
const agent = new Agent();
before(async () => {
  everyKind(agent);
  await agent.start();
  await agent.hasLines(12_000);
  browser = await launch();
});
after(async () => {
  await browser.close();
  await agent.remove();
});

for (const [name, address, prepare] of STATES) {
  test(`${name} is accessible`, async () => {
    const found = [];
    for (const width of WIDTHS) {
      for (const colorScheme of THEMES) {
        const page = await open(browser, { width, height: 900, colorScheme, reducedMotion: 'reduce', hasTouch: width < 600 });
        await page.goto(agent.url + address);
        await prepare(page);
        await page.evaluate(AXE);
        const { violations } = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags }), TAGS);
        for (const { id, help, nodes } of violations) {
          found.push(`${width} ${colorScheme}: ${id}: ${help}\n    ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.any[0]?.message ?? ''}`).join('\n    ')}`);
        }
        await close(page);
      }
    }
    assert.deepEqual(found, []);
  });
}
