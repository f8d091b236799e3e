// Where a server's temporary folder is.

import { rmdirSync, statSync } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { makeServerFolder } from '../../lib/lab/servers/server-folder.ts';

test('a relative TMPDIR is of this process’s folder: the server, and who removes it, run elsewhere', () => {
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = '.';
  let folder = '';
  try {
    folder = makeServerFolder(undefined);
    expect(isAbsolute(folder)).toBe(true);
    expect([process.cwd(), '/tmp']).toContain(dirname(folder)); // /tmp where the checkout's path is long
    expect(statSync(folder).isDirectory()).toBe(true);
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
    if (folder !== '') rmdirSync(folder);
  }
});
