// WIRE 01 to 05: the process and its listening socket (FastCGI 1.0, 2.2; 2.3; 3.2; 7).

import { networkInterfaces } from 'node:os';
import { Application, HttpResponse } from '../../../lib/app/index.ts';
import { serve, type Serving } from '../../../lib/serve.ts';
import { startWithSocket } from '../../support/perl-socket.ts';
import type { SpecProcess } from '../../support/process.ts';
import { RawClient } from '../../support/raw-client.ts';
import { head, request, STDIN, stream } from '../../support/raw-records.ts';
import { ok, servers } from '../../support/servers.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const folder = temporaryFolder();
const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
const withIPv6 = addresses.some(({ address }) => address === '::1') ? describe : describe.skip;

describe('a process that was given its socket', () => {
  const processes: SpecProcess[] = [];
  const clients: RawClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await Promise.all(processes.splice(0).map((one) => one.stop()));
  });

  function start(...parameters: Parameters<typeof startWithSocket>): SpecProcess {
    const started = startWithSocket(...parameters);
    processes.push(started);
    return started;
  }

  async function connect(where: string | number, host?: string): Promise<RawClient> {
    const client = await RawClient.connect(where, host);
    clients.push(client);
    return client;
  }

  /** What a request is answered with. */
  async function served(where: string | number, host?: string): Promise<string> {
    const client = await connect(where, host);
    await client.send(request({ keep: true, params: { REQUEST_URI: '/here' } }));
    return (await client.response()).body;
  }

  test('01 (2.2) a listening socket on descriptor 0 is found and served', async () => {
    const path = folder.join('zero.sock');
    const started = start({ kind: 'unix', path });
    await started.says(/ready fd:0/);
    expect(await served(path)).toBe('GET /here ');
  });

  test('01 (2.2) with stdout and stderr closed too: what is logged goes nowhere, and nothing fails', async () => {
    const path = folder.join('closed.sock');
    const started = start({ kind: 'unix', path, prelude: 'print STDERR "bound\\n"; close STDOUT; close STDERR;' });
    await started.says(/bound/);
    expect(await served(path)).toBe('GET /here '); // waits in the backlog until it is ready
    expect(await served(path)).toBe('GET /here ');
  });

  test('01 (2.2) anything else on descriptor 0 is no listening socket', async () => {
    const nothing = start({ kind: 'null' });
    await nothing.says(/no socket/);
    expect((await nothing.exited).code).toBe(3);
    const connected = start({ kind: 'connected' });
    await connected.says(/descriptor 0 is not a listening socket; start this program from a web server or systemd, or/);
    expect((await connected.exited).code).toBe(1);
  });

  test('02 (2.2) it may be an internet socket', async () => {
    const started = start({ kind: 'inet' });
    const [, port] = await started.says(/port (\d+)/);
    expect(await served(Number(port))).toBe('GET /here ');
  });

  withIPv6('02 (2.2) with IPv6', () => {
    test('it may be an IPv6 socket', async () => {
      const started = start({ kind: 'inet6' });
      const [, port] = await started.says(/port (\d+)/);
      expect(await served(Number(port), '::1')).toBe('GET /here ');
    });
  });

  test("systemd's socket is descriptor 3, where LISTEN_PID names this process", async () => {
    const path = folder.join('systemd.sock');
    const environ = '$ENV{LISTEN_FDS} = 1; $ENV{LISTEN_PID} = $$;';
    const started = start({ kind: 'unix', path, descriptor: 3, prelude: environ });
    await started.says(/ready fd:3/);
    expect(await served(path)).toBe('GET /here ');
    const other = start({
      kind: 'unix',
      path: folder.join('other.sock'),
      descriptor: 3,
      prelude: '$ENV{LISTEN_FDS} = 1; $ENV{LISTEN_PID} = 1; open(STDIN, "<", "/dev/null");',
    });
    await other.says(/no socket/);
  });

  test('05 (7) SIGTERM: the request that runs is answered, then the process exits with 0', async () => {
    const path = folder.join('term.sock');
    const started = start({ kind: 'unix', path });
    await started.says(/ready/);
    const client = await connect(path);
    await client.send(head({ keep: true, stdin: 'abc' }));
    await started.says(/request \/\n/, 'stdout');
    started.signal('SIGTERM');
    await started.says(/closing/);
    await client.send(stream(STDIN, 1, 'abc'));
    expect((await client.response()).body).toBe('POST / abc');
    expect(await started.exited).toEqual({ code: 0, signal: null });
    await client.closed;
  });
});

describe('03 (2.3, 3.2) FCGI_WEB_SERVER_ADDRS', () => {
  const application = new Application().get('/', () => HttpResponse.text('served'));
  let serving: Serving | undefined;
  afterEach(async () => {
    delete process.env['FCGI_WEB_SERVER_ADDRS'];
    await serving?.close({ timeout: 1 });
    serving = undefined;
  });

  async function connect(addresses: string, listen: string): Promise<RawClient> {
    process.env['FCGI_WEB_SERVER_ADDRS'] = addresses;
    serving = await serve(application, { listen });
    return RawClient.connect(listen.startsWith('unix:') ? listen.slice(5) : Number(serving.at.split(':').at(-1)));
  }

  test.each(['127.0.0.1', '10.0.0.1,127.0.0.1', ' 10.0.0.1 , 127.0.0.1 ', '127.0.0.0/8', '::ffff:127.0.0.1'])(
    '%p lets 127.0.0.1 in',
    async (addresses) => {
      const client = await connect(addresses, 'tcp:127.0.0.1:0');
      await client.send(request());
      expect((await client.response()).body).toBe('served');
      client.destroy();
    },
  );

  test.each(['10.0.0.1', '127.0.0.2', '::1', '126.0.0.0/8'])('%p does not: closed at once', async (addresses) => {
    const client = await connect(addresses, 'tcp:127.0.0.1:0');
    await client.closed;
    expect(client.received).toBe(0);
    expect(serving?.server.connections).toBe(0);
    client.destroy();
  });

  test('a unix peer has no address and is closed where a list is set', async () => {
    const client = await connect('127.0.0.1', `unix:${folder.join('list.sock')}`);
    await client.closed;
    expect(client.received).toBe(0);
    client.destroy();
  });

  test.each(['', ',', '127.0.0.1,', 'localhost', '127.0.0.1;10.0.0.1', '127.0.0.256', '10.0.0.0/33', '*'])(
    '%p is refused at the start: a mistake never means everybody',
    async (addresses) => {
      process.env['FCGI_WEB_SERVER_ADDRS'] = addresses;
      await expect(serve(application, { listen: 'tcp:127.0.0.1:0' })).rejects.toThrow(/not an IP address or network/);
    },
  );

  withIPv6('with IPv6', () => {
    test('an IPv4 peer of an IPv6 socket is known by its IPv4 address', async () => {
      const client = await connect('127.0.0.1', 'tcp:[::]:0');
      await client.send(request());
      expect((await client.response()).body).toBe('served');
      client.destroy();
    });
  });

  test('`allow` goes over it', async () => {
    process.env['FCGI_WEB_SERVER_ADDRS'] = '10.0.0.1';
    serving = await serve(application, { listen: 'tcp:127.0.0.1:0', allow: ['127.0.0.1'] });
    const client = await RawClient.connect(Number(serving.at.split(':').at(-1)));
    await client.send(request());
    expect((await client.response()).body).toBe('served');
    client.destroy();
  });
});

describe('04 (3.2) several connections', () => {
  const { start } = servers();

  test('are accepted and served at the same time', async () => {
    const running = await start({ responder: ok });
    const clients = await Promise.all(Array.from({ length: 50 }, () => running.connect()));
    for (const client of clients.reverse()) {
      await client.send(request({ keep: true }));
      expect((await client.response()).body).toBe('ok');
    }
    expect(running.server.connections).toBe(50);
  });
});
