// A page that loses its server, gets half an answer, another's answer or none says so, keeps what it has, and goes on by itself.
import { after, before, test } from 'node:test';

import { until, withAgent } from './support/agent.mjs';
import { shopLines } from './support/logs.mjs';
import { launch, withPage } from './support/page.mjs';
import { Proxy } from './support/proxy.mjs';
import { bar, reads, sees } from './support/view.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const NOISE = { allowErrors: [/Failed to load resource|WebSocket|ERR_/] };

/** A page behind a proxy, and lines of a shop. */
async function behindProxy(address, work) {
  const prepare = (agent) => agent.append('checkout.log', `${shopLines('checkout', 3000, 50).join('\n')}\n`);
  await withAgent({}, prepare, async (agent) => {
    await agent.hasLines(3000);
    const proxy = await new Proxy(agent).start();
    try {
      await work(agent, proxy, (inPage) => withPage(browser, `${proxy.url}${address}`, NOISE, inPage));
    } finally {
      await proxy.stop();
    }
  });
}

const isLines = (request) => request.url.includes('/api/v1/lines') || request.url.includes('/api/v1/follow');

test('429: waits, says so, and goes on', async () => {
  await behindProxy('/ui/logs?live=0', async (_, proxy, withThePage) => {
    let refused = 0;
    proxy.fault = (request) => {
      if (!isLines(request) || refused === 2) return undefined;
      refused += 1;
      return { status: 429, body: JSON.stringify({ error: 'too many outstanding requests: 4 queries are answered at a time' }) };
    };
    await withThePage(async (page) => {
      await reads(page, /too many outstanding requests|busy/i);
      await sees(page, 'order');
    });
  });
});

test('500: the words of the server, the lines that were there, and another try', async () => {
  await behindProxy('/ui/logs?live=0', async (_, proxy, withThePage) => {
    await withThePage(async (page) => {
      await sees(page, 'order');
      proxy.fault = (request) => (isLines(request) ? { status: 500, body: JSON.stringify({ error: 'the disk is on fire' }) } : undefined);
      await bar(page).fill('timeout');
      await bar(page).press('Enter');
      await reads(page, 'the disk is on fire');
      proxy.fault = () => undefined;
      await page.getByRole('button', { name: /again|Retry/ }).first().click();
      await sees(page, 'timeout');
    });
  });
});

test('a cut answer is told from a short one', async () => {
  await behindProxy('/ui/logs?live=0', async (_, proxy, withThePage) => {
    // A browser throws away what the page has not taken yet when a connection breaks: it breaks once the page has drawn.
    let cut;
    const when = new Promise((resolve) => (cut = resolve));
    proxy.fault = (request) => (request.url.includes('/api/v1/lines') ? { cutAfter: 40_000, when } : undefined);
    await withThePage(async (page) => {
      await sees(page, 'order');
      cut();
      await reads(page, /cut|broke off|incomplete/i);
      proxy.fault = () => undefined;
      await page.getByRole('button', { name: /Continue|again/ }).first().click();
      await until('the note is gone', async () => (await page.getByText(/cut off|broke off|incomplete/i).count()) === 0);
    });
  });
});

test('the answer of a proxy is told from one of the agent', async () => {
  await behindProxy('/ui/logs?live=0', async (_, proxy, withThePage) => {
    await withThePage(async (page) => {
      await sees(page, 'order');
      proxy.fault = (request) => (isLines(request) ? { status: 200, type: 'text/html', body: '<html><title>Sign in</title></html>' } : undefined);
      await bar(page).fill('timeout');
      await bar(page).press('Enter');
      await reads(page, /A proxy answered instead of the agent/);
    });
  });
});

test('a refused host says which flag', async () => {
  await behindProxy('/ui/logs?live=0', async (_, proxy, withThePage) => {
    await withThePage(async (page) => {
      await sees(page, 'order');
      const body = JSON.stringify({ error: 'this server does not answer for the host "x.example"; start it with --allowed-hosts and that name' });
      proxy.fault = (request) => (isLines(request) ? { status: 421, body } : undefined);
      await bar(page).fill('retry');
      await bar(page).press('Enter');
      await reads(page, /--allowed-hosts/);
    });
  });
});

test('a bad query is marked where the server says', async () => {
  await behindProxy('/ui/logs?live=0', async (_, proxy, withThePage) => {
    proxy.fault = () => undefined;
    await withThePage(async (page) => {
      await sees(page, 'order');
      await page.getByRole('button', { name: /LogQL/ }).first().click();
      const editor = page.getByRole('textbox', { name: /LogQL/ });
      await editor.fill('{path=~".+"} |~ "("');
      await reads(page, /unclosed group|error parsing regexp|missing closing/);
      await sees(page, 'order');
      // What may come next does not cover what is wrong.
      await editor.fill('{path=~".+"} | le');
      await editor.press('Control+ ');
      await page.getByRole('listbox', { name: 'Completions' }).waitFor();
      const isSeen = (box) => {
        const text = document.createRange();
        text.selectNodeContents(box);
        const { right, top, height } = text.getBoundingClientRect();
        return box.contains(document.elementFromPoint(right - 4, top + height / 2));
      };
      const messages = page.getByText(/unexpected \$end/);
      const areSeen = async () => Promise.all((await messages.all()).map((message) => message.evaluate(isSeen)));
      await until('it is seen', async () => (await areSeen()).includes(true));
    });
  });
});

test('nothing found says what would be', async () => {
  await behindProxy('/ui/logs?live=0&from=all', async (_, proxy, withThePage) => {
    proxy.fault = () => undefined;
    await withThePage(async (page) => {
      await sees(page, 'order');
      await bar(page).fill('no such thing');
      await bar(page).press('Enter');
      await reads(page, /No line/);
      await page.getByRole('button', { name: /^without .*3,000/ }).click();
      await sees(page, 'order');
    });
  });
});
