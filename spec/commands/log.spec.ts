// The log of the command: what it makes of errors.

import { readFileSync } from 'node:fs';
import { createLog } from '../../lib/commands/log.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder();

test.each([
  ['the same', 'it failed', 'it failed', 'it failed'],
  ['something else', 'it failed', 'the disk is full', 'it failed: the disk is full'],
])('an error whose cause says %s', async (what, message, cause, expected) => {
  const file = folder.join(`${what}.log`);
  const log = createLog({ level: 'info', file });
  log.error({ err: new Error(message, { cause: new Error(cause) }) }, 'a request failed');
  log.destination.flush();
  const { err, msg } = JSON.parse(readFileSync(file, 'utf8')) as {
    err: { message: string; stack: string };
    msg: string;
  };
  expect(msg).toBe('a request failed');
  expect(err.message).toBe(expected);
  expect(err.stack).toContain(`caused by: Error: ${cause}`);
});
