// scripts/reproduce: `postfork lab` of the checkout, from wherever it is called.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SpecProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';

const REPRODUCE = join(__dirname, '../../scripts/reproduce');
const folder = temporaryFolder();

test('--no-setup may stand anywhere', async () => {
  for (const args of [
    ['--no-setup', '--list', '--only', 'single/none'],
    ['--list', '--only', 'single/none', '--no-setup'],
  ]) {
    const command = new SpecProcess('bash', [REPRODUCE, ...args], { cwd: folder.path });
    expect((await command.finished).code).toBe(0);
    expect(command.stdout).toBe('single/none\n');
  }
});

test('the report goes where it is called', async () => {
  const args = ['--no-setup', '--only', 'single/none', '--requests', '1', '--concurrency', '1', '--out', 'here'];
  const command = new SpecProcess('bash', [REPRODUCE, ...args], { cwd: folder.path });
  expect((await command.finished).code).toBe(0);
  expect(existsSync(folder.join('here/report.html'))).toBe(true);
}, 60_000);
