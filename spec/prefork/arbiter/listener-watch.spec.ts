// Seeing that a client waits, in a process that never accepts: the arbiter's, while it has no workers.

import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { SpecProcess } from '../../support/process.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const PROGRAM = join(__dirname, '../../programs/prefork-watch.mjs');

describe.each(['unix', 'tcp'])('a client that waits on a %s socket without workers', (kind) => {
  const folder = temporaryFolder();
  let watcher: SpecProcess;
  let place: string;
  let rounds = 0;
  const clients: Socket[] = [];

  beforeEach(async () => {
    rounds = 0;
    watcher = new SpecProcess(process.execPath, [
      PROGRAM,
      kind === 'unix' ? `unix:${folder.join('app.sock')}` : 'tcp:127.0.0.1:0',
    ]);
    place = (await watcher.says(/^at (?:unix|tcp):(\S+)$/m))[1] as string;
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await watcher.stop('SIGKILL');
  });

  /** Connects; resolves to what it was answered. */
  async function client(): Promise<{ answer: Promise<string> }> {
    const [host, port] = place.split(':') as [string, string?];
    const socket = port === undefined ? connect(place.replace(/\?.*/, '')) : connect(Number(port), host);
    clients.push(socket);
    let text = '';
    const answer = new Promise<string>((resolve, reject) => {
      socket.on('data', (chunk) => (text += String(chunk)));
      socket.once('close', () => resolve(text));
      socket.once('error', reject);
    });
    await new Promise((resolve) => socket.once('connect', resolve));
    return { answer };
  }

  async function watch(): Promise<void> {
    watcher.signal('SIGUSR2');
    await watcher.says(new RegExp(`^watching ${++rounds}$`, 'm'));
  }

  const seen = (round: number): Promise<RegExpExecArray> =>
    watcher.says(new RegExp(`^waiting ${round} calls (\\d+) cpu (\\d+)$`, 'm'));

  test('is seen when it comes, once, and is answered by who listens on the descriptor then', async () => {
    await watch();
    const { answer } = await client();
    const [, calls, cpu] = await seen(1);
    expect(calls).toBe('1'); // in 300 ms in which it still waited
    expect(Number(cpu)).toBeLessThan(250); // and nothing spun
    expect(await answer).toBe('answered');
    await watcher.says(/^served 1$/m);
  });

  test('is seen where it was there before', async () => {
    const { answer } = await client();
    await watch();
    await seen(1);
    expect(await answer).toBe('answered');
  });

  test('is seen again and again, each time somebody watches', async () => {
    for (let round = 1; round <= 3; round++) {
      await watch();
      const { answer } = await client();
      await seen(round);
      expect(await answer).toBe('answered');
      await watcher.says(new RegExp(`^served ${round}$`, 'm'));
    }
  });

  test('is not seen where nobody watches', async () => {
    await watch();
    const first = await client();
    await seen(1);
    await first.answer;
    await watcher.says(/^served 1$/m);
    const second = await client(); // the backlog takes it
    await watch();
    await seen(2);
    expect(await second.answer).toBe('answered');
    expect(watcher.stderr.match(/^waiting/gm)).toHaveLength(2);
  });
});

test('a descriptor that is none cannot be watched', async () => {
  const program = `
    import { whenWaiting } from ${JSON.stringify(join(__dirname, '../../../dist/prefork/index.js'))};
    for (const fd of [999, -1]) try { whenWaiting(fd, () => {}); } catch (error) { console.log(error.message); }
  `;
  const watcher = new SpecProcess(process.execPath, ['--input-type=module', '-e', program]);
  await watcher.finished;
  expect(watcher.stdout.trim().split('\n')).toEqual([expect.stringMatching(/999/), expect.stringMatching(/-1/)]);
});
