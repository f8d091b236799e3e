// Logs by pino to stderr until its timer has ticked ten times, then says on stdout what that took and ends as told.

import { execFileSync } from 'node:child_process';
import { fstatSync } from 'node:fs';
import { pino } from 'pino';
import { LogDestination } from '../../../lib/daemon/index.ts';

const TICKS = 10;
const [ending = 'return', user = ''] = process.argv.slice(2);
const stderr = fstatSync(2);
process.stderr.on('error', () => {}); // makes it a stream, which does not block ...
execFileSync('true', { stdio: 'inherit' }); // ... until a child inherits it
if (user !== '') process.setuid?.(Number(user));
const destination = new LogDestination({ maxBytes: 100_000 });
const log = pino({ base: null, timestamp: false }, destination);

let longest = 0;
let ticks = 0;
let last = performance.now();
const ticking = setInterval(() => {
  const now = performance.now();
  longest = Math.max(longest, now - last);
  last = now;
  for (let line = 0; line < 100; line++) log.info('x'.repeat(1000));
  if (++ticks < TICKS) return;
  clearInterval(ticking);
  const kind = stderr.isFIFO() ? 'pipe' : stderr.isSocket() ? 'socket' : 'other';
  console.log(JSON.stringify({ ticks, longest, kind }));
  destination.flush();
  if (ending === 'exit') process.exit(3);
}, 5);
