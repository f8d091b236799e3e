// listen(): unix sockets in place with their mode, TCP, descriptors, and what is refused.

import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import { listen, parseListener, Server, type Listening, type ListenOptions } from '../../lib/server/index.ts';
import { RawClient } from '../support/raw-client.ts';
import { request } from '../support/raw-records.ts';
import { ok } from '../support/servers.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder();
const listenings: Listening[] = [];
afterEach(async () => {
  await Promise.all(listenings.splice(0).map((one) => one.close({ timeout: 1 })));
});

async function listenAt(
  text: string,
  options?: ListenOptions,
  server = new Server({ responder: ok }),
): Promise<Listening> {
  const listening = await listen(server, parseListener(text), options);
  listenings.push(listening);
  return listening;
}

async function answerOf(where: string | number): Promise<string> {
  const client = await RawClient.connect(where);
  await client.send(request());
  const { body } = await client.response();
  client.destroy();
  return body;
}

let count = 0;
const newPath = (): string => folder.join(`${(count += 1)}.sock`);
const modeOf = (path: string): number => lstatSync(path).mode & 0o777;

describe('a unix socket', () => {
  test.each([
    ['', 0o660],
    ['?mode=600', 0o600],
    ['?mode=666', 0o666],
  ])('with %p has mode %o, whatever the umask', async (query, mode) => {
    for (const mask of [0o000, 0o022, 0o077]) {
      const path = newPath();
      const before = process.umask(mask);
      try {
        await listenAt(`unix:${path}${query}`);
      } finally {
        process.umask(before);
      }
      expect(modeOf(path)).toBe(mode);
    }
  });

  test('is never at its path with another mode, or without being served', async () => {
    const path = newPath();
    const server = new Server({ responder: ok });
    const bind = server.bind.bind(server);
    let seen: boolean | undefined;
    server.bind = async (options) => {
      await bind(options);
      seen = existsSync(path); // it listens already, under another name
    };
    const before = process.umask(0);
    try {
      await listenAt(`unix:${path}`, {}, server);
    } finally {
      process.umask(before);
    }
    expect([seen, modeOf(path), await answerOf(path)]).toEqual([false, 0o660, 'ok']);
    expect(readdirSync(folder.path).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  const root = userInfo().uid === 0 ? describe : describe.skip;
  root('for root', () => {
    test('gets its group, by name or number', async () => {
      const named = execFileSync('id', ['-gn', 'nobody']).toString().trim();
      const number = Number(execFileSync('id', ['-g', 'nobody']).toString());
      for (const group of [named, String(number)]) {
        const path = newPath();
        await listenAt(`unix:${path}?group=${group}`);
        expect(lstatSync(path).gid).toBe(number);
      }
    });
  });

  test('with a group that there is not is refused, and nothing is left', async () => {
    const path = newPath();
    await expect(listenAt(`unix:${path}?group=no-such-group`)).rejects.toThrow(
      'there is no group no-such-group on this system',
    );
    expect(readdirSync(folder.path).filter((name) => name.startsWith('.'))).toEqual([]);
    expect(existsSync(path)).toBe(false);
  });

  test('with a path that is too long is refused instead of cut', async () => {
    const path = folder.join('x'.repeat(108 - folder.path.length - 1));
    expect(path.length).toBe(108);
    await expect(listenAt(`unix:${path}`)).rejects.toThrow(
      `${path} is longer than the 107 bytes of a unix socket's path; use a shorter folder`,
    );
    const fits = path.slice(0, 107);
    await listenAt(`unix:${fits}`);
    expect(await answerOf(fits)).toBe('ok');
    const accents = folder.join('é'.repeat(60)); // 107 bytes, not characters
    await expect(listenAt(`unix:${accents}`)).rejects.toThrow(/107 bytes/);
  });

  test('in a folder that does not exist, or may not be written to, is refused with the folder', async () => {
    await expect(listenAt(`unix:${folder.join('missing', 'app.sock')}`)).rejects.toThrow(
      `its folder ${folder.join('missing')} does not exist or may not be written to`,
    );
  });

  test('that a dead process left is replaced', async () => {
    const path = newPath();
    execFileSync('perl', [
      '-MSocket',
      '-e',
      'socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un(shift)) or die',
      path,
    ]);
    const { ino } = lstatSync(path);
    expect(lstatSync(path).isSocket()).toBe(true);
    await listenAt(`unix:${path}`);
    expect(await answerOf(path)).toBe('ok');
    expect(lstatSync(path).ino).not.toBe(ino);
  });

  test('of a server that answers is refused, and left alone', async () => {
    const path = newPath();
    await listenAt(`unix:${path}`);
    await expect(listenAt(`unix:${path}`)).rejects.toThrow(
      `${path}: another server is listening there; stop it first or choose another path`,
    );
    expect(await answerOf(path)).toBe('ok');
  });

  test('at the path of a file, a folder or a link is refused', async () => {
    const file = folder.join('file');
    writeFileSync(file, 'precious');
    const directory = folder.join('directory');
    mkdirSync(directory);
    const link = folder.join('link');
    symlinkSync(file, link);
    for (const path of [file, directory, link]) {
      await expect(listenAt(`unix:${path}`)).rejects.toThrow(
        `${path} exists and is not a socket; remove it or choose another path`,
      );
    }
    expect(lstatSync(file).size).toBe(8);
  });

  test('is removed at the end', async () => {
    const path = newPath();
    const listening = await listenAt(`unix:${path}`);
    await listening.close();
    expect(existsSync(path)).toBe(false);
  });

  test('is not removed at the end where another has taken its place', async () => {
    const path = newPath();
    const first = await listenAt(`unix:${path}`);
    const second = createServer();
    const other = newPath();
    await new Promise<void>((resolve) => second.listen(other, resolve));
    execFileSync('mv', [other, path]);
    await first.close();
    expect(existsSync(path)).toBe(true);
    await new Promise((resolve) => second.close(resolve));
  });

  test('says where it is, and serves', async () => {
    const path = newPath();
    const listening = await listenAt(`unix:${path}?mode=600`);
    expect(listening.at).toBe(`unix:${path}`);
    expect(await answerOf(path)).toBe('ok');
  });

  test('keeps whom its mode keeps out', async () => {
    const path = newPath();
    await listenAt(`unix:${path}`);
    chmodSync(folder.path, 0o755);
    const connect = `socket(S, AF_UNIX, SOCK_STREAM, 0); $( = $) = 65534; $< = $> = 65534; connect(S, pack_sockaddr_un(shift)) or print $!+0`;
    const errno = execFileSync('perl', ['-MSocket', '-e', connect, path]).toString();
    expect(userInfo().uid === 0 ? '13' : '').toBe(errno); // EACCES for nobody; others than root cannot become nobody
  });
});

describe('TCP', () => {
  test('on a free port says which, and serves', async () => {
    const listening = await listenAt('tcp:127.0.0.1:0');
    const port = Number(/^tcp:127\.0\.0\.1:(\d+)$/.exec(listening.at)?.[1]);
    expect(await answerOf(port)).toBe('ok');
    await listening.close();
    await expect(RawClient.connect(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test.each(['0.0.0.0', '[::]', '192.0.2.1', 'example.org', '[2001:db8::1]', '[::ffff:127.0.0.1]'])(
    'on %s is refused without a list of who may connect',
    async (host) => {
      const bare = host.replace(/^\[|\]$/g, '');
      await expect(listenAt(`tcp:${host}:0`)).rejects.toThrow(
        `${bare} can be reached by others, and FastCGI has no passwords; name who may connect`,
      );
    },
  );

  test('with a list it is not', async () => {
    const server = new Server({ responder: ok, allow: ['127.0.0.1'] });
    const listening = await listenAt('tcp:0.0.0.0:0', { restricted: true }, server);
    expect(await answerOf(Number(listening.at.split(':').at(-1)))).toBe('ok');
  });

  test.each(['localhost', '127.0.0.1', '127.1.2.3'])('on %s needs none', async (host) => {
    const listening = await listenAt(`tcp:${host}:0`);
    expect(listening.at).toMatch(/^tcp:.*:\d+$/);
  });

  test('on a port in use is refused with the reason', async () => {
    const listening = await listenAt('tcp:127.0.0.1:0');
    await expect(listenAt(listening.at)).rejects.toThrow(/cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
  });
});

describe('a descriptor', () => {
  test('that is no listening socket is refused', async () => {
    await expect(listenAt('fd:999')).rejects.toThrow(
      'descriptor 999 is not a listening socket; start this program from a web server or systemd, or give --listen',
    );
  });
});
