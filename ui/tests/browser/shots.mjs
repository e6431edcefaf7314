// Takes the screenshots that a person looks at, into `out/`: each state in light and dark at 1440 px, the main ones at 768 and 390 px, four as a
// deuteranope sees them. `node tests/browser/shots.mjs [NAME...]` takes some.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { Agent } from './support/agent.mjs';
import { launch, open } from './support/page.mjs';
import { STATES, cluster, everyKind } from './support/states.mjs';
import { rows } from './support/view.mjs';

const OUT = process.env.SHOTS ?? fileURLToPath(new URL('out/', import.meta.url));
const MAIN = new Set(['overview', 'overview-38', 'logs', 'logs-json', 'logs-search', 'detail', 'context', 'patterns', 'time', 'status']);
const DEUTERANOPIA = new Set(['overview-38', 'logs', 'logs-search', 'patterns']);
const wanted = process.argv.slice(2);

fs.mkdirSync(OUT, { recursive: true });
const browser = await launch();
const CLUSTER = [['overview-38', '/ui/', (page) => page.getByRole('checkbox').first().waitFor()]];
try {
  await take({}, (agent) => everyKind(agent, false), STATES);
  await take({}, everyKind, [['logs-hostile', '/ui/logs', (page) => rows(page).first().waitFor()]]);
  await take({ collector: 'Kubernetes' }, cluster, CLUSTER);
  await take({}, (agent) => agent.append('app.log', 'started\n'), [['one-stream', '/ui/', (page) => rows(page).first().waitFor()]]);
} finally {
  await browser.close();
}

/** Takes the states of an agent over what `prepare` wrote. */
async function take(options, prepare, states) {
  const due = states.filter(([name]) => wanted.length === 0 || wanted.includes(name));
  if (due.length === 0) return;
  const agent = new Agent(options);
  try {
    prepare(agent);
    await agent.start();
    await new Promise((resolve) => setTimeout(resolve, 2500));
    for (const state of due) await shoot(agent, state);
  } finally {
    await agent.remove();
  }
}

async function shoot(agent, [name, address, prepare, stub]) {
  for (const width of MAIN.has(name) ? [1440, 768, 390] : [1440]) {
    for (const colorScheme of ['light', 'dark']) {
      const page = await open(browser, { allowErrors: [/Failed to load resource/], width, height: width === 390 ? 844 : 900, colorScheme, hasTouch: width === 390, isMobile: width === 390 });
      try {
        await stub?.(page);
        await page.goto(agent.url + address);
        await prepare(page);
        // What comes after the first lines: bars, counts, fields.
        await new Promise((resolve) => setTimeout(resolve, 1500));
        await page.screenshot({ path: path.join(OUT, `${name}-${width}-${colorScheme}.png`) });
        if (width === 1440 && colorScheme === 'light' && DEUTERANOPIA.has(name)) {
          const session = await page.context().newCDPSession(page);
          await session.send('Emulation.setEmulatedVisionDeficiency', { type: 'deuteranopia' });
          await page.screenshot({ path: path.join(OUT, `${name}-${width}-deuteranopia.png`) });
        }
      } catch (error) {
        console.error(`${name} at ${width} ${colorScheme}: ${error.message.split('\n')[0]}`);
        await page.screenshot({ path: path.join(OUT, `${name}-${width}-${colorScheme}-failed.png`) });
        process.exitCode = 1;
      }
      if (page.faults.length > 0) console.error(`${name} at ${width} ${colorScheme}:\n  ${page.faults.join('\n  ')}`);
      await page.unrouteAll({ behavior: 'ignoreErrors' });
      await page.context().close();
    }
  }
}
