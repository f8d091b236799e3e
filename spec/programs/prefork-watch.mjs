// Watches a listening socket as an arbiter without workers does: at each SIGUSR2, until a client waits; then another process answers
// that one. Run with what to listen on.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { whenWaiting } from '../../dist/prefork/index.js';
import { openListeningSocket, parseListener } from '../../dist/server/index.js';

/** Answers so many clients; at 0 it only listens. */
const SERVER = `
  const { createServer } = require('node:net');
  let left = Number(process.argv[1]);
  const server = createServer((socket) => {
    socket.end('answered');
    if (--left === 0) server.close();
  });
  server.listen({ fd: 3 }, () => left === 0 && process.exit());
`;

const socket = await openListeningSocket(parseListener(process.argv[2]));
setInterval(() => {}, 1000);

async function serve(clients) {
  const child = spawn(process.execPath, ['-e', SERVER, clients], {
    stdio: ['ignore', 'inherit', 'inherit', socket.fd],
  });
  await once(child, 'exit');
}

let round = 0;
process.on('SIGUSR2', () => {
  process.stderr.write(`watching ${++round}\n`);
  let calls = 0;
  whenWaiting(socket.fd, () => {
    calls += 1;
    const at = round;
    const used = process.cpuUsage();
    setTimeout(() => {
      const { user, system } = process.cpuUsage(used);
      process.stderr.write(`waiting ${at} calls ${calls} cpu ${Math.round((user + system) / 1000)}\n`);
      void serve(1).then(() => process.stderr.write(`served ${at}\n`));
    }, 300);
  });
});

await serve(0);
await socket.publish();
process.stderr.write(`at ${socket.at}\n`);
