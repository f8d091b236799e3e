// The pid file: never over a live process, in one step, taken away only if it is ours.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { writePidFile } from '../../lib/daemon/index.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder();

function endedPid(): number {
  return spawnSync('true').pid;
}

test('holds our pid and a line end, mode 644 whatever the umask, and nothing else is left in the folder', () => {
  const path = folder.join('app.pid');
  const before = process.umask(0o077);
  try {
    writePidFile(path);
  } finally {
    process.umask(before);
  }
  expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`);
  expect(statSync(path).mode & 0o777).toBe(0o644);
  expect(readdirSync(folder.path)).toEqual(['app.pid']);
});

test('refuses where a live process is in it, and leaves the file alone', async () => {
  const path = folder.join('live.pid');
  const other = spawn('sleep', ['60'], { stdio: 'ignore' });
  await once(other, 'spawn');
  try {
    writeFileSync(path, `${other.pid}\n`);
    expect(() => writePidFile(path)).toThrow(`process ${other.pid} of the pid file ${path} is running; stop it first`);
    expect(readFileSync(path, 'utf8')).toBe(`${other.pid}\n`);
    expect(readdirSync(folder.path).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  } finally {
    other.kill('SIGKILL');
    await once(other, 'exit');
  }
});

test.each([
  ['an ended process', () => `${endedPid()}\n`],
  ['ourselves, as after a restart in a container', () => `${process.pid}\n`],
  ['nobody', () => ''],
])('a file of %s is replaced', (_, text) => {
  const path = folder.join('stale.pid');
  writeFileSync(path, text());
  writePidFile(path);
  expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`);
});

test.each(['root:x:0:0\n', '-1\n', '0\n', '12 34\n', '9'.repeat(33)])(
  '%j is no pid file and is not overwritten',
  (text) => {
    const path = folder.join('other.conf');
    writeFileSync(path, text);
    expect(() => writePidFile(path)).toThrow(`${path} exists and is not a pid file`);
    expect(readFileSync(path, 'utf8')).toBe(text);
  },
);

test('neither a link at the path nor one at the temporary name is followed', () => {
  const target = folder.join('target');
  writeFileSync(target, 'precious');
  symlinkSync(target, folder.join('link.pid'));
  expect(() => writePidFile(folder.join('link.pid'))).toThrow('is not a pid file');
  symlinkSync(target, folder.join(`fresh.pid.${process.pid}.tmp`));
  writePidFile(folder.join('fresh.pid'));
  expect(readFileSync(target, 'utf8')).toBe('precious');
  expect(readFileSync(folder.join('fresh.pid'), 'utf8')).toBe(`${process.pid}\n`);
});

test('the second and third of three live processes are refused', () => {
  const path = folder.join('three.pid');
  const results = [process.pid, process.ppid, 1].map((pid) => {
    try {
      return writePidFile(path, pid).path;
    } catch {
      return 'refused';
    }
  });
  expect(results).toEqual([path, 'refused', 'refused']);
});

test('says which file cannot be written', () => {
  expect(() => writePidFile(folder.join('missing', 'app.pid'))).toThrow(
    /the pid file .*app\.pid cannot be written: ENOENT/,
  );
});

describe('remove()', () => {
  test('takes away our own', () => {
    const path = folder.join('mine.pid');
    expect(writePidFile(path).remove()).toBe(true);
    expect(existsSync(path)).toBe(false);
  });

  test('leaves what another process has put there since', () => {
    const path = folder.join('taken.pid');
    const file = writePidFile(path);
    writeFileSync(path, '1\n');
    expect(file.remove()).toBe(false);
    expect(readFileSync(path, 'utf8')).toBe('1\n');
  });
});
