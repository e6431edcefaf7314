// An agent that wants to know who asks: the form, the session in two tabs, its end, and the way back to where one was.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { until, withAgent } from './support/agent.mjs';
import { close, launch, open } from './support/page.mjs';
import { sees } from './support/view.mjs';

// Of the password `secret`, by bcrypt with the cost 4.
const HASH = '$2b$04$Pu7FOY8mRagDSBrPzrK.U.mmCXDWalgrmP/CHQmENivZY9Pfb0ARu';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test('log in, two tabs, a session that ends, log out', async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'monitoring-users-'));
  const users = path.join(directory, 'users');
  const writeUsers = (hash) => fs.writeFileSync(users, `alice:${hash}:read,admin\n`, { mode: 0o600 });
  writeUsers(HASH);
  const prepare = (agent) => agent.append('checkout.log', 'the first line\n');
  await withAgent({ args: ['--auth-user-file', users] }, prepare, async (agent) => {
    const page = await open(browser, { allowErrors: [/status of 401/] });
    const logIn = async (password) => {
      await page.getByLabel('Name').fill('alice');
      await page.getByLabel('Password').fill(password);
      await page.getByRole('button', { name: 'Log in' }).click();
    };
    await page.goto(`${agent.url}/ui/logs?q=%7Bpath%3D~%22.%2B%22%7D`);
    assert.match(page.url(), /\/login\?next=/);
    await logIn('wrong');
    await page.getByRole('alert').filter({ hasText: 'The name or the password is wrong.' }).waitFor();
    await logIn('secret');
    await page.waitForURL('**/ui/logs?q=**');
    await sees(page, 'the first line');
    assert.equal(await page.evaluate(() => document.cookie), '', 'no script sees the session');

    const second = await page.context().newPage();
    await second.goto(`${agent.url}/ui/status`);
    await second.getByText('alice').waitFor();

    // Another password: what a tab asks for next leads to the form, and from there back.
    writeUsers(HASH.replace('Pu7F', 'Qu7F'));
    await second.waitForURL('**/login?next=**');
    writeUsers(HASH);
    await until('the password is known again', async () => {
      const answer = await fetch(`${agent.url}/status`, { headers: { authorization: `Basic ${btoa('alice:secret')}` } });
      return answer.ok;
    });
    await second.getByLabel('Name').fill('alice');
    await second.getByLabel('Password').fill('secret');
    await second.getByRole('button', { name: 'Log in' }).click();
    await second.waitForURL('**/ui/status**');
    await second.getByRole('button', { name: 'Log out' }).click();
    await second.waitForURL('**/login');
    await second.close();
    await page.goto(`${agent.url}/ui/logs`);
    assert.match(page.url(), /\/login\?next=/);
    await close(page);
  });
  fs.rmSync(directory, { recursive: true });
});
