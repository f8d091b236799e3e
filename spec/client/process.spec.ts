// What the client does to its process: nothing.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { HELLO, clientAndApplication } from '../support/client-and-application.ts';

const setup = clientAndApplication();

/** Run a program; rejects where it does not exit with 0. Returns what it wrote. */
async function run(program: string, ...values: string[]): Promise<{ stdout: string; stderr: string }> {
  const path = join(__dirname, '..', 'programs', program);
  return promisify(execFile)(process.execPath, ['--import', 'tsx', path, ...values]);
}

test('failures that nobody looks at do not end it', async () => {
  expect(await run('careless-client.ts')).toEqual({ stdout: 'still here\n', stderr: '' });
});

test('busy connections keep it running, idle ones do not', async () => {
  const application = await setup.application();
  application.serve((request, connection) => setTimeout(() => connection.answer(request.id, HELLO), 50));
  const { stdout } = await run('forgetful-client.ts', application.address);
  expect(stdout).toBe('hello, 1 kept\nhello, 1 kept\n');
});
