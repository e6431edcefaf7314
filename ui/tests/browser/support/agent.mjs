// The real binary over real files in a temporary directory, as its user starts it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { Proxy } from './proxy.mjs';

const REPOSITORY = fileURLToPath(new URL('../../../../', import.meta.url));
/** `MONITORING_RS` names another binary than the one `cargo build --release` makes. */
export const BINARY = process.env.MONITORING_RS ?? path.join(REPOSITORY, 'target/release/monitoring-rs');

/** While the page is worked on: a folder that `vite build --outDir` wrote, served in place of the page that the binary embeds. */
const UI_DIST = process.env.UI_DIST;
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; "
  + "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css' };

/** Patience with the agent and with the page, in ms: on a busy machine a second is nothing. */
export const PATIENCE = 20_000;

export class Agent {
  /** Nothing runs before `start`. `collector` is `Directory` or `Kubernetes`. */
  constructor({ collector = 'Directory', args = [], zone = 'Etc/UTC' } = {}) {
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), 'monitoring-ui-'));
    this.root = path.join(this.directory, 'logs');
    this.data = path.join(this.directory, 'data');
    fs.mkdirSync(this.root);
    this.collector = collector;
    this.args = args;
    this.zone = zone;
  }

  /** The port stays the same over restarts, so that links and sockets find the agent again. */
  async start() {
    this.port ??= await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    if (UI_DIST !== undefined) await this.serveFrom(UI_DIST);
    const args = ['--log-collector', this.collector, '--root-path', this.root, '--data-directory', this.data, '--listen', `127.0.0.1:${this.port}`];
    const log = fs.openSync(path.join(this.directory, 'agent.log'), 'a');
    this.process = spawn(BINARY, [...args, ...this.args], { stdio: ['ignore', log, log], env: { ...process.env, TZ: this.zone } });
    fs.closeSync(log);
    await until('the agent is ready', async () => (await fetch(`http://127.0.0.1:${this.port}/readyz`)).ok);
    return this;
  }

  /** Puts a proxy in front that answers for the page from a folder. */
  async serveFrom(folder) {
    this.front ??= await new Proxy(this).start();
    this.url = this.front.url;
    this.front.fault = (request) => {
      const { pathname } = new URL(request.url, this.url);
      if (!pathname.startsWith('/ui/')) return undefined;
      const name = path.extname(pathname) === '' ? 'index.html' : pathname.slice('/ui/'.length);
      return { status: 200, type: TYPES[path.extname(name)], body: fs.readFileSync(path.join(folder, name)), headers: { 'content-security-policy': POLICY } };
    };
  }

  async stop(signal = 'SIGTERM') {
    if (this.process === undefined || this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill(signal);
    await ended;
  }

  async remove() {
    await this.stop('SIGKILL');
    await this.front?.stop();
    fs.rmSync(this.directory, { recursive: true, force: true });
  }

  file(name) {
    return path.join(this.root, name);
  }

  append(name, text) {
    const file = this.file(name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.appendFileSync(file, text);
  }

  async json(route) {
    return (await fetch(this.url + route)).json();
  }

  /** Waits until `count` lines are stored and can be asked for. */
  async hasLines(count) {
    // The page shows other things as long as what was there at the start is read.
    await until(`${count} lines are stored, and nothing is left to read of what was there at the start`, async () => {
      const { lines, import: { read_bytes: read, total_bytes: total } } = await this.json('/status');
      return count <= lines && read >= total;
    });
  }

  log() {
    return fs.readFileSync(path.join(this.directory, 'agent.log'), 'utf8');
  }
}

/** Runs `work` with an agent that is removed afterwards. */
export async function withAgent(options, prepare, work) {
  const agent = new Agent(options);
  try {
    await prepare(agent);
    await agent.start();
    return await work(agent);
  } finally {
    await agent.remove();
  }
}

/** Asks until `condition` holds; what it throws counts as not yet. */
export async function until(what, condition, patience = PATIENCE) {
  const start = performance.now();
  let last;
  while (performance.now() - start < patience) {
    try {
      const value = await condition();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`waited ${patience} ms in vain until ${what}${last ? `: ${last.message}` : ''}`);
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
