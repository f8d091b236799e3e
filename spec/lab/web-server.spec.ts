// A lighttpd and an nginx of one's own in front of an application.

import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { LighttpdServer, NginxServer, type WebServer } from '../../lib/lab/index.ts';
import { send, sendForJson } from '../support/http.ts';
import { isRunning } from '../support/processes.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { startApplication, type RunningApplication } from '../support/web-servers.ts';
import { APPLICATION } from '../web-servers/front-ends.ts';

const CONFIG = fileURLToPath(new URL('../../lighttpd/lighttpd.conf', import.meta.url));
const folder = temporaryFolder();

interface Options {
  port?: number;
  onLog?: (text: string) => void;
}

let application: RunningApplication;
let way: Server; // to the application, where connections are counted
let connections = 0;

beforeAll(async () => {
  application = await startApplication(APPLICATION);
  way = createServer((socket) => {
    connections++;
    const onward = connect(application.at.replace('unix:', ''));
    socket.on('error', () => onward.destroy());
    onward.on('error', () => socket.destroy());
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => way.listen(folder.join('way.sock'), resolve));
});
afterAll(async () => {
  await new Promise((resolve) => way.close(resolve));
  await application.stop();
});

function lighttpd(options: Options = {}): Promise<WebServer> {
  const environment = {
    POSTFORK_SOCKET: folder.join('way.sock'),
    POSTFORK_ROOT: folder.path,
    POSTFORK_FILES: folder.path,
  };
  return LighttpdServer.create({ ...options, config: CONFIG, environment });
}

function nginx(options: Options = {}): Promise<WebServer> {
  return NginxServer.create({ ...options, to: `unix:${folder.join('way.sock')}` });
}

describe.each([
  ['lighttpd', lighttpd],
  ['nginx', nginx],
])('%s', (_name, create) => {
  let server: WebServer;
  let heard = '';
  beforeAll(async () => {
    server = await create({ onLog: (text) => (heard += text) });
  });
  afterAll(() => server?.remove());

  test('has the application serve, on a connection for each request', async () => {
    const before = connections;
    for (const target of ['/a?b=c', '/d', '/e']) {
      expect(await sendForJson(server.port, target)).toMatchObject({ target });
    }
    expect(connections).toBe(before + 3);
  });

  test('takes bodies that are larger than its memory for them', async () => {
    const body = Buffer.alloc(1024 * 1024, 'x');
    expect(JSON.parse((await send(server.port, { method: 'POST', body })).body.toString())).toMatchObject({
      length: body.length,
    });
  });

  test('is there for this machine only', async () => {
    const reached = await new Promise<unknown>((resolve) => {
      const socket = connect(server.port, '127.0.0.2'); // it would be there for a listener on all addresses
      socket.once('error', resolve).once('connect', () => resolve(socket.destroy()));
    });
    expect(reached).toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('logs what the application writes to STDERR, and tells all of it', async () => {
    expect((await send(server.port, '/throw')).status).toBe(500);
    expect(server.log).toContain('thrown on purpose');
    expect(heard).toBe(server.log);
  });

  test('takes another port where its first choice was taken', async () => {
    const random = jest.spyOn(Math, 'random').mockReturnValueOnce((server.port - 20_000 + 0.5) / 12_000);
    const other = await create();
    random.mockRestore();
    expect(other.port).not.toBe(server.port);
    expect(await sendForJson(other.port, '/other')).toMatchObject({ target: '/other' });
    await other.remove();
  });

  test('does not start where the port that was asked for is taken, and says so', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    await expect(create({ port })).rejects.toThrow(/Address already in use/);
    await new Promise((resolve) => other.close(resolve));
  });

  test('nothing is left of it when it is removed, twice if need be', async () => {
    const other = await create();
    const pid = other.pid as number;
    await Promise.all([other.remove(), other.remove()]);
    expect([other.pid, isRunning(pid)]).toEqual([undefined, false]);
    await expect(send(other.port)).rejects.toThrow('ECONNREFUSED');
  });
});

test('a configuration that reads what the environment does not have says so', async () => {
  await expect(LighttpdServer.create({ config: CONFIG, environment: {} })).rejects.toThrow(
    /Undefined env variable: POSTFORK_ROOT/,
  );
});

test('a configuration that is missing is named', async () => {
  const config = folder.join('there is none.conf');
  await expect(LighttpdServer.create({ config, environment: {} })).rejects.toThrow(/there is none\.conf/);
});

test('an application where nginx cannot find it is a TypeError', async () => {
  await expect(NginxServer.create({ to: 'app.sock' })).rejects.toThrow(TypeError);
});
