// Spawned workers, as real processes.

import { readdirSync } from 'node:fs';
import { lives, preforkProcesses } from '../../support/prefork-processes.ts';

const onLinux = process.platform === 'linux' ? describe : describe.skip;
const descriptors = (): number => readdirSync('/proc/self/fd').length;

describe('a spawned worker', () => {
  const processes = preforkProcesses();

  test('loads the application, serves on the listening socket, and leaves when told to', async () => {
    const worker = await processes.make(processes.spawned());
    await worker.says('ready');
    expect((await processes.client()).pid).toBe(worker.pid);
    expect(worker.process.inspectable).toBe(true);
    worker.drain(0);
    expect(await worker.exited).toEqual({ code: 0, signal: null });
    expect(processes.journal()).toEqual([
      `load ${worker.pid}`,
      `serve ${worker.pid}`,
      `close ${worker.pid} 0`,
      `closed ${worker.pid}`,
    ]);
  });

  test('writes to its stdout and stderr', async () => {
    const worker = await processes.make(processes.spawned());
    let stdout = '';
    worker.process.stdout.on('data', (chunk: Buffer) => (stdout += String(chunk)));
    await worker.says('ready');
    worker.drain(0);
    await worker.closed;
    expect(stdout).toBe('loaded\n');
    expect(worker.stderr()).toMatch(/^loading was no problem\n/);
  });

  test('says why it cannot load, with the stack', async () => {
    const worker = await processes.make(processes.spawned({ load: 'rejects' }));
    expect((await worker.says('failed')).message).toMatch(/^TypeError: no such module\n {4}at .*prefork-program\.mjs/);
    expect(await worker.exited).toEqual({ code: 1, signal: null });
  });

  test('shows how it ended where it said nothing', async () => {
    const worker = await processes.make(processes.spawned({ load: 'exits' }));
    expect(await worker.exited).toEqual({ code: 3, signal: null });
    expect(worker.messages).toEqual([]);
  });

  test('is killed, and a second time nothing happens', async () => {
    const worker = await processes.make(processes.spawned());
    await worker.says('ready');
    worker.process.kill('SIGKILL');
    expect(await worker.exited).toEqual({ code: null, signal: 'SIGKILL' });
    worker.process.kill('SIGKILL');
    expect(lives(worker.pid)).toBe(false);
  });

  test('that cannot be started is an error, and a later one can', async () => {
    const source = processes.spawned();
    const { execPath } = process;
    process.execPath = '/nowhere/node';
    try {
      await expect(source.make()).rejects.toThrow('spawn /nowhere/node ENOENT');
    } finally {
      process.execPath = execPath;
    }
    const worker = await processes.make(source);
    await worker.says('ready');
    await source.close(); // nothing of it is left but the workers
    expect(lives(worker.pid)).toBe(true);
  });

  onLinux('when it is gone', () => {
    test('leaves no descriptors here', async () => {
      const once = async (): Promise<void> => {
        const worker = await processes.make(processes.spawned({ load: 'exits' }));
        await worker.exited;
        await worker.closed;
      };
      await once();
      const before = descriptors();
      for (let times = 0; times < 5; times++) await once();
      expect(descriptors()).toBe(before);
    });
  });
});
