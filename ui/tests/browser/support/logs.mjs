// Logs to look at: made up, the same for the same seed, with times that end shortly before now.
import fs from 'node:fs';
import path from 'node:path';

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pick = (next, list) => list[Math.floor(next() * list.length)];
const hex = (next, digits) => Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join('');

/** A line of a shop's service at `time`: text, logfmt or JSON, with a level that fits. */
export function shopLine(next, service, time) {
  const iso = time.toISOString();
  const order = 1000 + Math.floor(next() * 9000);
  const bad = next();
  if (service === 'web') {
    const status = bad < 0.01 ? 500 : bad < 0.04 ? 404 : 200;
    return `10.0.${Math.floor(next() * 4)}.${Math.floor(next() * 250)} - - [${clf(time)}] "GET /items/${order} HTTP/1.1" ${status} ${100 + Math.floor(next() * 9000)} "-" "curl/8.5"`;
  }
  if (service === 'api') {
    const [level, status] = bad < 0.01 ? ['error', 500] : bad < 0.05 ? ['warn', 429] : ['info', 200];
    return JSON.stringify({
      time: iso, level, msg: level === 'error' ? 'upstream refused' : 'request', method: 'GET', path: `/items/${order}`, status,
      duration_ms: Math.floor(next() * 400), trace_id: hex(next, 16), http: { route: '/items/:id', user: { id: order % 97 } },
    });
  }
  if (service === 'checkout') {
    const [level, message] = bad < 0.03 ? ['error', `order ${order} failed: timeout`]
      : bad < 0.15 ? ['warn', `retry ${1 + Math.floor(next() * 4)} of 5: timeout after 2 s`] : ['info', `order ${order} paid`];
    return `${iso} ${level.toUpperCase()} ${message}`;
  }
  return `time=${iso} level=${bad < 0.02 ? 'warn' : 'info'} msg="${pick(next, ['synced', 'lease renewed', 'cache refreshed'])}" took=${Math.floor(next() * 90)}ms items=${order}`;
}

function clf(time) {
  const month = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][time.getUTCMonth()];
  return `${String(time.getUTCDate()).padStart(2, '0')}/${month}/${time.getUTCFullYear()}:${time.toISOString().slice(11, 19)} +0000`;
}

/** Lines of `service` from `minutes` ago up to now, `count` of them, evenly spread. */
export function shopLines(service, count, minutes, seed = 1, end = Date.now()) {
  const next = random(seed);
  const start = end - minutes * 60_000;
  return Array.from({ length: count }, (_, index) => shopLine(next, service, new Date(start + ((end - start) * index) / count)));
}

/** Writes a container's log as the kubelet lays it out; returns the file that its runtime appends to. */
export function container(agent, { namespace, pod, name, uid, id, restart = 0 }) {
  const pods = path.join(agent.directory, 'pods', `${namespace}_${pod}_${uid}`, name);
  fs.mkdirSync(pods, { recursive: true });
  const file = path.join(pods, `${restart}.log`);
  fs.writeFileSync(file, '', { flag: 'a' });
  const link = path.join(agent.root, `${pod}_${namespace}_${name}-${id}.log`);
  if (!fs.existsSync(link)) fs.symlinkSync(file, link);
  return file;
}

/** A line as containerd and CRI-O write it. */
export function cri(time, text, channel = 'stdout') {
  return `${time.toISOString().replace('Z', '000000Z')} ${channel} F ${text}\n`;
}

/** 64 hexadecimal digits, as container ids are. */
export function containerId(seed) {
  return hex(random(seed), 64);
}
