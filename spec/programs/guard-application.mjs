// Loads "an application" that opens sockets, and tells as JSON what the fork guard found of them. Run by
// spec/prefork/zygote/fork-guard.spec.ts with the path of dist/prefork/zygote/fork-guard.js, the name of a function below and its arguments.

import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

const PSK = {
  ciphers: 'PSK',
  maxVersion: 'TLSv1.2',
  pskCallback: () => ({ psk: Buffer.from('secret'), identity: 'spec' }),
  checkServerIdentity: () => undefined,
};

const [module, scenario, ...args] = process.argv.slice(2);
const { watchSockets } = await import(pathToFileURL(module).href);
const originals = [net.Socket.prototype.connect, Object.getPrototypeOf(spawn('true')).spawn];

async function connectDatabase(options) {
  const socket = net.connect(options);
  await once(socket, 'connect');
  return socket;
}

async function connectSecurely(options) {
  await once(tls.connect({ ...options, ...PSK }), 'secureConnect');
}

/** As native code does: nothing of this thread's net module has a part in it. */
async function connectElsewhere(options) {
  const code =
    "const { workerData, parentPort } = require('node:worker_threads');\
    require('node:net').connect(workerData).on('connect', () => parentPort.postMessage('connected'));";
  await once(new Worker(code, { eval: true, workerData: options }), 'message');
}

async function listenAndAccept() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const scenarios = {
  connect: connectDatabase,
  tls: connectSecurely,
  elsewhere: connectElsewhere,

  /** PostgreSQL's way: an ordinary connection becomes a secure one. */
  upgrade: async (options) => connectSecurely({ socket: await connectDatabase(options) }),

  async http({ port }) {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    await response.text();
  },

  async arguments(path) {
    await once(net.createConnection(path), 'connect');
  },

  async closed(options) {
    const socket = await connectDatabase(options);
    const closed = once(socket, 'close');
    socket.destroy();
    await closed;
    await once(net.connect({ host: '127.0.0.1', port: 1 }), 'error');
  },

  async accepted() {
    const server = await listenAndAccept();
    const accepting = once(server, 'connection');
    await connectElsewhere({ port: server.address().port, host: '127.0.0.1' });
    await accepting;
    server.close();
  },

  listening: listenAndAccept,

  async unixListening(path) {
    await once(net.createServer().listen(path), 'listening');
    const datagrams = createSocket('udp4').bind(0, '127.0.0.1');
    await once(datagrams, 'listening');
  },

  async udp({ port }) {
    const socket = createSocket('udp4');
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');
  },

  async children() {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume(); process.send("up")'], {
      stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
    });
    child.unref();
    await once(child, 'message');
  },
};

let before; // of the baseline
if (scenario === 'baseline') before = await connectDatabase(...args.map(JSON.parse));
const watch = watchSockets();
const patched = [net.Socket.prototype.connect, Object.getPrototypeOf(spawn('true')).spawn];

if (scenario === 'stopped') {
  watch.stop();
  await connectDatabase(...args.map(JSON.parse));
} else if (before === undefined) {
  const run = scenarios[scenario]; // called by its own name
  await run(...args.map(JSON.parse));
}

const found = watch.connected();
watch.stop();
const restored = [net.Socket.prototype.connect, Object.getPrototypeOf(spawn('true')).spawn];
process.stdout.write(
  JSON.stringify({
    found,
    patched: patched.map((method, at) => method !== originals[at]),
    restored: restored.map((method, at) => method === originals[at]),
  }),
  () => process.exit(),
);
