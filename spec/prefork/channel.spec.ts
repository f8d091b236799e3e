// The channel between arbiter and workers, over real socket pairs and over streams that do what each test says.

import { once } from 'node:events';
import { createServer, connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { Channel } from '../../lib/prefork/channel.ts';
import { temporaryFolder } from '../support/temporary.ts';

const MAX_LINE = 64 * 1024;

/** A channel, the stream that it is on, and what came out of it. */
function open(stream: Duplex): { channel: Channel; lines: string[]; ends: () => number; ended: Promise<void> } {
  const lines: string[] = [];
  let ends = 0;
  let end: () => void;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const channel = new Channel(stream, {
    onLine: (line) => lines.push(line),
    onEnd: () => {
      ends += 1;
      end();
    },
  });
  return { channel, lines, ends: () => ends, ended };
}

/** A stream whose other side is the test. */
class Side extends Duplex {
  readonly written: string[] = [];
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.written.push(String(chunk));
    done();
  }
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe('a channel', () => {
  test('has whole lines, wherever they were split', async () => {
    const bytes = Buffer.from('{"type":"ready"}\n{"message":"Grüße, 世界 🌍"}\n\nlast\n');
    for (let at = 0; at <= bytes.length; at++) {
      const side = new Side();
      const { lines } = open(side);
      side.push(bytes.subarray(0, at));
      await turn();
      side.push(bytes.subarray(at));
      await turn();
      expect({ at, lines }).toEqual({
        at,
        lines: ['{"type":"ready"}', '{"message":"Grüße, 世界 🌍"}', '', 'last'],
      });
    }
  });

  test('has whole lines of single bytes', async () => {
    const side = new Side();
    const { lines } = open(side);
    for (const byte of Buffer.from('eins\nzwö\n')) side.push(Buffer.of(byte));
    await turn();
    expect(lines).toEqual(['eins', 'zwö']);
  });

  test('has many lines of one piece, in their order', async () => {
    const side = new Side();
    const { lines } = open(side);
    side.push(Array.from({ length: 1000 }, (_, n) => `${n}\n`).join(''));
    await turn();
    expect(lines).toEqual(Array.from({ length: 1000 }, (_, n) => String(n)));
  });

  test('does not tell a line that has no end', async () => {
    const side = new Side();
    const { lines, ended, ends } = open(side);
    side.push('whole\nhalf');
    side.push(null);
    await ended;
    await turn();
    expect(lines).toEqual(['whole']);
    expect(ends()).toBe(1);
  });

  test('writes a message as a line', () => {
    const side = new Side();
    const { channel } = open(side);
    channel.send({ type: 'failed', message: 'two\nlines' });
    channel.send({ type: 'ready' });
    expect(side.written).toEqual(['{"type":"failed","message":"two\\nlines"}\n', '{"type":"ready"}\n']);
  });

  test('takes a line of 64 Ki characters and ends at a longer one', async () => {
    const side = new Side();
    const { lines, ends } = open(side);
    side.push('x'.repeat(MAX_LINE));
    await turn();
    side.push('\n');
    await turn();
    expect(lines.map(({ length }) => length)).toEqual([MAX_LINE]);
    side.push('y'.repeat(MAX_LINE));
    await turn();
    expect(ends()).toBe(0);
    side.push('y');
    await turn();
    expect(ends()).toBe(1);
    expect(side.destroyed).toBe(true);
  });

  test('tells the lines in front of the one that is too long, and none behind it', async () => {
    const side = new Side();
    const { lines, ends } = open(side);
    side.push(`good\n${'x'.repeat(MAX_LINE + 1)}`);
    side.push('\nbad\n');
    await turn();
    expect(lines).toEqual(['good']);
    expect(ends()).toBe(1);
  });

  test('ends once, however often its stream does', async () => {
    const side = new Side();
    const { ends } = open(side);
    side.emit('error', new Error('ECONNRESET'));
    side.emit('end');
    side.emit('close');
    side.destroy(new Error('once more'));
    await turn();
    expect(ends()).toBe(1);
  });

  test('does not tell its end where it was closed here, nor what comes after', async () => {
    const side = new Side();
    const { channel, lines, ends } = open(side);
    side.push('one\n');
    channel.close();
    channel.close();
    await turn();
    expect(lines).toEqual([]);
    expect(ends()).toBe(0);
    channel.send({ type: 'ready' });
    expect(side.written).toEqual([]);
  });

  test('tells nothing more when it is closed in the middle of its lines', async () => {
    const side = new Side();
    const lines: string[] = [];
    const channel = new Channel(side, {
      onLine: (line) => {
        lines.push(line);
        if (line === 'close') channel.close();
      },
      onEnd: () => lines.push('end'),
    });
    side.push('one\nclose\ntwo\n');
    await turn();
    expect(lines).toEqual(['one', 'close']);
  });

  test('may be answered in its end, which is dropped', async () => {
    const side = new Side();
    const channel = new Channel(side, { onLine: () => {}, onEnd: () => channel.send({ type: 'drain' }) });
    side.push(null);
    await turn();
    expect(side.written).toEqual([]);
  });
});

describe('a channel on a socket', () => {
  const folder = temporaryFolder();
  let made = 0;
  const sockets: Socket[] = [];

  async function pair(): Promise<[Socket, Socket]> {
    const path = folder.join(`${++made}.sock`);
    const server = createServer().listen(path);
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const ours = connect(path);
    const [theirs] = await accepted;
    server.close();
    theirs.on('error', () => {});
    sockets.push(ours, theirs);
    return [ours, theirs];
  }

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  test('ends when ten megabytes come without the end of a line, and has not kept them', async () => {
    const [ours, theirs] = await pair();
    const { ended, ends, lines } = open(ours);
    theirs.write('x'.repeat(10 * 1024 * 1024));
    const closed = new Promise((resolve) => theirs.once('close', resolve)); // the sender sees that nobody reads
    await ended;
    await closed;
    expect(ours.bytesRead).toBeLessThan(1024 * 1024);
    expect(ends()).toBe(1);
    expect(lines).toEqual([]);
  });

  test('ends where the other side is gone', async () => {
    const [ours, theirs] = await pair();
    const { ended, ends } = open(ours);
    theirs.destroy();
    await ended;
    expect(ends()).toBe(1);
  });

  test('drops what is sent to a side that is gone (EPIPE), and ends', async () => {
    const [ours, theirs] = await pair();
    const { channel, ended, ends } = open(ours);
    theirs.destroy();
    await once(theirs, 'close');
    for (let times = 0; times < 100; times++) channel.send({ type: 'load', load: {} });
    await ended;
    channel.send({ type: 'ready' });
    await turn();
    expect(ends()).toBe(1);
    expect(ours.destroyed).toBe(true);
  });

  test('ends where the other side only stops to send', async () => {
    const [ours, theirs] = await pair();
    const { ended, lines } = open(ours);
    theirs.end('last\n');
    await ended;
    expect(lines).toEqual(['last']);
  });
});
