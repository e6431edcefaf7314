// The page as its user names its parts: by role and name, never by class.
import assert from 'node:assert/strict';

import { PATIENCE, until } from './agent.mjs';

/** A person at the keyboard whose actions are counted: a click, a text typed, a key, each is one. */
export class Person {
  constructor(page) {
    this.page = page;
    this.actions = 0;
  }

  async click(locator, options) {
    this.actions += 1;
    await locator.click(options);
  }

  async paste(locator, text) {
    this.actions += 1;
    await locator.fill(text);
  }

  /** Keys and texts in one go, without a look at the page in between. */
  async press(...keys) {
    this.actions += 1;
    for (const key of keys) {
      if (/^(.|[A-Z]\w+|Control\+.)$/.test(key)) await this.page.keyboard.press(key);
      else await this.page.keyboard.type(key);
    }
  }

  tookAtMost(budget) {
    assert.ok(this.actions <= budget, `${this.actions} actions, ${budget} were to be enough`);
  }
}

export const list = (page) => page.getByRole('grid').first();
export const rows = (page) => list(page).getByRole('row');
export const bar = (page) => page.getByRole('searchbox').first();
export const detail = (page) => page.getByRole('complementary', { name: 'Line' });

/** The rows in sight, from the top to the bottom: text and distance from the page's top, in px. */
export async function places(page) {
  return list(page).evaluate((grid) => {
    let [top, bottom] = [0, innerHeight];
    for (let box = grid; box !== null; box = box.parentElement) {
      if (getComputedStyle(box).overflowY === 'visible') continue;
      const rect = box.getBoundingClientRect();
      [top, bottom] = [Math.max(top, rect.top), Math.min(bottom, rect.bottom)];
    }
    const rows = [...grid.querySelectorAll('[role=row]')].filter((row) => row.checkVisibility({ visibilityProperty: true }));
    const placed = rows.map((row) => ({ text: row.textContent, rect: row.getBoundingClientRect() }));
    const seen = placed.filter(({ rect }) => top < rect.bottom && rect.top < bottom);
    return seen.sort((a, b) => a.rect.top - b.rect.top).map(({ text, rect }) => [text, rect.top]);
  });
}

/** The texts of the rows in sight. */
export async function texts(page) {
  return (await places(page)).map(([text]) => text);
}

/** Waits until a row on screen holds `text`. */
export async function sees(page, text) {
  return until(`a row says ${text}`, async () => {
    const found = (await texts(page)).find((row) => (text instanceof RegExp ? text.test(row) : row.includes(text)));
    return found;
  }, PATIENCE);
}

/** Waits until the page says `text` somewhere. */
export async function reads(page, text) {
  await page.getByText(text).first().waitFor({ state: 'visible' });
}

/** What a person copies who presses Ctrl+C: the listener comes after the page's own. */
export async function copied(page) {
  return page.evaluate(() => new Promise((resolve) => {
    document.addEventListener('copy', (event) => resolve(event.clipboardData?.getData('text/plain') ?? ''), { once: true });
    if (!document.execCommand('copy')) resolve('');
  }));
}

/** The text of all lines that the page holds: what is copied comes from the data. */
export async function copiedAll(page) {
  await rows(page).last().focus();
  await page.keyboard.press('Control+a');
  return copied(page);
}
