// The programs under test, as processes with real ports and folders: farshore-hub, farshore-agent, fleetsim, nginx.
// FARSHORE_E2E_BIN names the folder of the programs; the repository's bin/ otherwise.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'playwright-core';

export const bin = process.env.FARSHORE_E2E_BIN ?? join(import.meta.dirname, '../../../bin');

/** The administrator of hubs that are started with one. */
export const admin = { username: 'admin', password: 'correct-horse-battery' };

const running = new Set();
const folders = [];
// However this process ends, what it started ends with it.
process.on('exit', () => {
  for (const p of running) p.child.kill('SIGKILL');
  for (const f of folders) rmSync(f, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/** endAll ends all programs. One that still runs would keep Node from ending. */
export const endAll = () => Promise.all([...running].map((p) => p.stop('SIGKILL')));

/** folder makes a folder that is gone with this process. */
export function folder() {
  const made = mkdtempSync(join(tmpdir(), 'fs-ui-'));
  folders.push(made);
  return made;
}

/** until waits for a condition: look is called again until what it gives is true, and that is given back. */
export async function until(what, look, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  let last;
  for (;;) {
    try {
      last = await look();
      if (last) return last;
    } catch (e) {
      last = e;
    }
    if (Date.now() > end) {
      throw new Error(
        `not within ${seconds} s: ${what}: ${last instanceof Error ? last.message : JSON.stringify(last)}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const ports = new Set();

/** freePort finds a port of 127.0.0.1 below those that the kernel gives to connections, so that it stays free. */
export async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const free = await new Promise((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (!free || ports.has(port)) continue;
    ports.add(port);
    return port;
  }
}

/** Program is a process with what it has printed. */
export class Program {
  printed = '';

  constructor(path, args, env = {}) {
    this.child = spawn(path, args, {
      env: { PATH: process.env.PATH, HOME: '/nonexistent', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(this);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.printed += text;
      });
    }
    this.ended = new Promise((resolve) => {
      this.child.once('error', (e) => {
        this.printed += e.message;
        resolve();
      });
      this.child.once('exit', resolve);
    }).then(() => running.delete(this));
  }

  /** prints waits until something is printed, and gives the match. */
  prints(pattern) {
    return until(`${this.child.spawnargs[0]} prints ${pattern}; it printed:\n${this.printed}`, () => {
      const match = this.printed.match(pattern);
      if (!match && !running.has(this)) throw new Error(`it has ended:\n${this.printed}`);
      return match;
    });
  }

  async stop(signal = 'SIGTERM') {
    this.child.kill(signal);
    await this.ended;
  }
}

/** Hub is a farshore-hub that is stopped and started with the same data and ports. */
export class Hub {
  /** start starts one; its agents make contact each second. `plain`: without administrator and settings. */
  static async start({ plain = false, args = [], data } = {}) {
    const hub = new Hub();
    hub.dir = folder();
    hub.port = await freePort();
    hub.url = `https://127.0.0.1:${hub.port}/`;
    hub.args = ['serve', '--data', data ?? join(hub.dir, 'hub'), '--listen', `127.0.0.1:${hub.port}`];
    hub.args.push('--mqtt-listen', `127.0.0.1:${await freePort()}`, ...args);
    if (!plain) {
      const file = join(hub.dir, 'password');
      writeFileSync(file, `${admin.password}\n`);
      hub.args.push('--admin-password-file', file);
    }
    await hub.start();
    if (!plain) {
      await hub.signIn();
      await hub.put('groups', { path: '', settings: { ping: '1s', snapshot: 'push', command: 'push' } });
    }
    return hub;
  }

  async start() {
    this.program = new Program(join(bin, 'farshore-hub'), this.args, { FARSHORE_HUB_LOG_LEVEL: 'warn' });
    await this.program.prints(/fingerprint: /);
  }

  /** adminLink is the one-time link that a hub without administrator prints. */
  async adminLink() {
    return (await this.program.prints(/admin link: (\S+)/))[1];
  }

  async signIn(who = admin) {
    this.http ??= await request.newContext({ baseURL: `${this.url}api/v1/`, ignoreHTTPSErrors: true });
    this.token = (await this.post('session', who)).token;
  }

  /** ask asks the API, and gives what it answers. It throws where the hub refuses. */
  async ask(method, path, data, headers = {}) {
    const authorization = this.token ? { authorization: `Bearer ${this.token}` } : {};
    const answer = await this.http.fetch(path, { method, data, headers: { ...authorization, ...headers } });
    const text = await answer.text();
    if (!answer.ok()) throw new Error(`${method} ${path}: ${answer.status()} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }
  get(path) {
    return this.ask('GET', path);
  }
  post(path, data) {
    return this.ask('POST', path, data);
  }
  put(path, data) {
    return this.ask('PUT', path, data);
  }
  patch(path, data) {
    return this.ask('PATCH', path, data);
  }

  /** key makes an enrolment key and gives its edge key. With rule: {} its devices are let in by themselves. */
  async key(name, more = {}) {
    return (await this.post('keys', { name, ...more })).edge_key;
  }

  /** apply makes a stack what it shall be. */
  apply(stack, files, more = {}) {
    const encoded = Object.entries(files).map(([name, text]) => [name, Buffer.from(text).toString('base64')]);
    return this.put(`stacks/${stack}`, { files: Object.fromEntries(encoded), ...more });
  }

  /** simulate runs simulated devices NAME-0000, NAME-0001 … that are let in, until they are all in the fleet. */
  async simulate(name, devices, { key = {}, args = [], wait = false } = {}) {
    const rule = wait ? {} : { auto_approve: {} };
    const made = await this.post('keys', { name, ...rule, ...key });
    const sim = new Program(
      join(bin, 'fleetsim'),
      ['--devices', `${devices}`, '--name', name, '--seed', '7', '--life=false', ...args],
      { FARSHORE_SIM_EDGE_KEY: made.edge_key },
    );
    await until(`${devices} devices ${name}`, async () => {
      if (!running.has(sim)) return sim.printed;
      if (wait) {
        const { items } = await this.get('waiting');
        return items.filter((w) => w.key === made.id).length === devices;
      }
      const { items } = await this.get(`devices?q=${name}-&limit=1000`);
      return items.filter((d) => d.containers && d.liveness.state === 'on-time').length === devices;
    });
    if (!running.has(sim)) throw new Error(`fleetsim ended:\n${sim.printed}`);
    return sim;
  }

  /** device finds a device by its name. */
  async device(name) {
    const { items } = await this.get(`devices?q=${encodeURIComponent(name)}`);
    return items.find((d) => d.name === name);
  }
}

/** startAgent starts a real agent with an edge key, on the Docker Engine that tests are given. */
export function startAgent(edgeKey) {
  const dir = folder();
  const key = join(dir, 'edge-key');
  writeFileSync(key, `${edgeKey}\n`, { mode: 0o600 });
  const args = [
    'run',
    '--data',
    join(dir, 'agent'),
    '--edge-key-file',
    key,
    '--engine',
    process.env.FARSHORE_TEST_ENGINE,
  ];
  const agent = new Program(join(bin, 'farshore-agent'), args);
  /** status is what the agent says of itself. */
  agent.status = async () => {
    const asked = new Program(join(bin, 'farshore-agent'), ['status', '--data', join(dir, 'agent'), '-o', 'json']);
    await asked.ended;
    return JSON.parse(asked.printed);
  };
  return agent;
}

/** startProxy runs nginx in front of a hub, which shows it below a path that the hub does not know of. */
export async function startProxy(hub, path) {
  const dir = folder();
  const port = await freePort();
  mkdirSync(join(dir, 'tmp'));
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((n) => `${n}_temp_path ${dir}/tmp/${n};`);
  const cert = join(dir, 'cert.pem');
  const made = new Program('openssl', [
    ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1'.split(' '),
    ...['-keyout', join(dir, 'key.pem'), '-out', cert],
  ]);
  await made.ended;
  writeFileSync(
    join(dir, 'nginx.conf'),
    `daemon off; pid ${dir}/pid; error_log stderr warn; events {}
http { access_log off; ${temp.join(' ')}
  server {
    listen 127.0.0.1:${port} ssl; ssl_certificate ${cert}; ssl_certificate_key ${dir}/key.pem;
    location ${path}/ { proxy_pass ${hub.url}; proxy_ssl_verify off; proxy_buffering off; proxy_http_version 1.1; }
  }
}
`,
  );
  const proxy = new Program('nginx', ['-c', join(dir, 'nginx.conf'), '-p', dir], {
    PATH: `${process.env.PATH}:/usr/sbin`,
  });
  proxy.url = `https://127.0.0.1:${port}${path}/`;
  await until(`nginx listens; it printed:\n${proxy.printed}`, async () => {
    const http = await request.newContext({ ignoreHTTPSErrors: true });
    const answer = await http.get(`${proxy.url}healthz`).finally(() => http.dispose());
    return answer.status() < 500;
  });
  return proxy;
}
