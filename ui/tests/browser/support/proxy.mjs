// A proxy in front of the agent that misbehaves on command: what a page meets behind company networks.
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';

export class Proxy {
  /** `fault(request)` says what becomes of a request: nothing, `{ status, body, type, headers }`, or `{ cutAfter: bytes, when: promise }` of the answer's body. */
  constructor(agent) {
    this.agent = agent;
    this.fault = () => undefined;
    this.sockets = new Set();
    this.seen = [];
  }

  async start() {
    this.server = http.createServer((request, response) => this.answer(request, response));
    this.server.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  answer(request, response) {
    this.seen.push(request.url);
    const fault = this.fault(request) ?? this.agent.front?.fault(request);
    if (fault?.status !== undefined) {
      response.writeHead(fault.status, { 'content-type': fault.type ?? 'application/json', ...fault.headers });
      response.end(fault.body ?? '');
      return;
    }
    const headers = { ...request.headers };
    if (fault?.cutAfter !== undefined) delete headers['accept-encoding'];
    const forwarded = http.request({ host: '127.0.0.1', port: this.agent.port, method: request.method, path: request.url, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      if (fault?.cutAfter === undefined) return void answer.pipe(response);
      let left = fault.cutAfter;
      answer.on('data', (bytes) => {
        if (left <= 0) return;
        response.write(bytes.subarray(0, left));
        left -= bytes.length;
        // The connection ends without the body's last chunk.
        if (left <= 0) void Promise.resolve(fault.when).then(() => response.socket?.end());
      });
    });
    forwarded.on('error', () => response.destroy());
    response.on('close', () => forwarded.destroy());
    request.pipe(forwarded);
  }

  upgrade(request, socket, head) {
    this.seen.push(request.url);
    if (this.fault(request)) return void socket.destroy();
    const upstream = net.connect(this.agent.port, '127.0.0.1', () => {
      const lines = [`${request.method} ${request.url} HTTP/1.1`];
      for (let index = 0; index < request.rawHeaders.length; index += 2) lines.push(`${request.rawHeaders[index]}: ${request.rawHeaders[index + 1]}`);
      upstream.write(`${lines.join('\r\n')}\r\n\r\n`);
      upstream.write(head);
      upstream.pipe(socket);
      socket.pipe(upstream);
    });
    const both = [socket, upstream];
    this.sockets.add(both);
    for (const one of both) {
      one.on('error', () => {});
      one.on('close', () => {
        both.forEach((other) => other.destroy());
        this.sockets.delete(both);
      });
    }
  }

  /** Cuts every WebSocket, without a closing frame. */
  cut() {
    for (const both of this.sockets) both.forEach((socket) => socket.destroy());
  }

  async stop() {
    this.cut();
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}
