// ServiceManager: what arrives at a real datagram socket, by a function or by systemd's program.

import { spawnSync } from 'node:child_process';
import { ServiceManager, type SendDatagram } from '../../lib/daemon/index.ts';
import { SpecProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder();
const SOCKETS = 'use Socket; $| = 1; ';
const withProgram = spawnSync('systemd-notify', ['--version']).error === undefined ? describe : describe.skip;

/** A service manager's end: prints each datagram as one line, its line breaks as |. */
async function listenAt(path: string): Promise<SpecProcess> {
  const manager = new SpecProcess('perl', [
    '-e',
    `${SOCKETS} socket(S, AF_UNIX, SOCK_DGRAM, 0); bind(S, pack_sockaddr_un($ARGV[0])) or die; print "bound\\n";
     while (defined recv(S, $_, 4096, 0)) { s/\\n/|/g; print "got $_\\n" }`,
    path,
  ]);
  await manager.says(/bound/, 'stdout');
  return manager;
}

/** As the native addon does it. */
const send: SendDatagram = (path, text) => {
  const sent = spawnSync('perl', [
    '-e',
    `${SOCKETS} socket(S, AF_UNIX, SOCK_DGRAM, 0); send(S, $ARGV[1], 0, pack_sockaddr_un($ARGV[0])) or die "$!\\n"`,
    path,
    text,
  ]);
  if (sent.status !== 0) throw new Error(String(sent.stderr).trim());
};

function messages(manager: SpecProcess): string[] {
  return [...manager.stdout.matchAll(/^got (.*)$/gm)].map((match) => match[1] as string);
}

test('says what happens in the words of sd_notify(3)', async () => {
  const path = folder.join('words');
  const manager = await listenAt(path);
  const service = new ServiceManager({ NOTIFY_SOCKET: path }, send);
  expect(service.present).toBe(true);
  service.ready('4 workers\nREADY=0');
  const before = process.hrtime.bigint() / 1000n;
  service.reloading();
  service.status('busy');
  service.stopping('bye');
  await manager.says(/STOPPING/, 'stdout');
  await manager.stop();
  const [ready, reloading = '', ...others] = messages(manager);
  expect(ready).toBe('READY=1|STATUS=4 workers READY=0');
  const usec = BigInt(/^RELOADING=1\|MONOTONIC_USEC=(\d+)$/.exec(reloading)?.[1] ?? 0);
  expect(usec >= before && usec <= process.hrtime.bigint() / 1000n).toBe(true);
  expect(others).toEqual(['STATUS=busy', 'STOPPING=1|STATUS=bye']);
});

withProgram('without a function, the program systemd-notify', () => {
  test('says it in order', async () => {
    const path = folder.join('program');
    const manager = await listenAt(path);
    const service = new ServiceManager({ NOTIFY_SOCKET: path, PATH: process.env['PATH'] });
    service.ready('two words');
    service.status('still here');
    service.stopping();
    await service.close();
    await manager.says(/STOPPING/, 'stdout');
    await manager.stop();
    expect(messages(manager).filter((message) => !message.startsWith('BARRIER'))).toEqual([
      'READY=1|STATUS=two words',
      'STATUS=still here',
      'STOPPING=1',
    ]);
  });
});

test('nothing is sent where nobody listens', () => {
  const sent: string[] = [];
  const service = new ServiceManager({ WATCHDOG_USEC: '1000' }, (_, text) => sent.push(text));
  service.ready();
  service.startWatchdog();
  expect(service.present).toBe(false);
  expect(sent).toEqual([]);
});

describe('a failure is told and changes nothing', () => {
  test('of the function', () => {
    const problems: string[] = [];
    const environ = { NOTIFY_SOCKET: folder.join('nobody') };
    new ServiceManager(environ, send, { problem: (error) => problems.push(error.message) }).ready();
    expect(problems).toEqual(['No such file or directory']);
  });

  test('of a program that is not there; a flood of messages is bounded', async () => {
    const problems: string[] = [];
    const environ = { NOTIFY_SOCKET: folder.join('nobody'), PATH: folder.path };
    const service = new ServiceManager(environ, undefined, { problem: (error) => problems.push(error.message) });
    for (let i = 0; i < 20; i++) service.status(`step ${i}`);
    expect(problems).toEqual([16, 17, 18, 19].map((i) => `systemd-notify is too slow; not said: STATUS=step ${i}`));
    await service.close();
    expect(problems).toHaveLength(20);
    expect(problems[19]).toMatch(/systemd-notify failed: .*ENOENT/);
  });
});

describe('the watchdog', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  function said(environ: Record<string, string>, ms: number): string[] {
    const sent: string[] = [];
    const service = new ServiceManager({ NOTIFY_SOCKET: '@x', ...environ }, (_, text) => sent.push(text), { pid: 77 });
    service.startWatchdog();
    service.startWatchdog();
    jest.advanceTimersByTime(ms);
    void service.close();
    jest.advanceTimersByTime(ms);
    return sent;
  }

  test.each([{}, { WATCHDOG_PID: '77' }])('is told that we live at half of its time, until closed (%j)', (environ) => {
    expect(said({ WATCHDOG_USEC: '2000000', ...environ }, 3500)).toEqual(Array(4).fill('WATCHDOG=1'));
  });

  test.each([
    { WATCHDOG_USEC: '2000000', WATCHDOG_PID: '78' },
    { WATCHDOG_PID: '77' },
    { WATCHDOG_USEC: '0' },
    { WATCHDOG_USEC: 'infinity' },
  ])('is told nothing with %j', (environ) => {
    expect(said(environ as Record<string, string>, 3500)).toEqual([]);
  });

  test('a time beyond what a timer can wait is not a flood', () => {
    expect(said({ WATCHDOG_USEC: '9000000000000000' }, 1000)).toEqual(['WATCHDOG=1']);
  });
});

test('its variables are taken out of the environment when that is asked for, and it goes on', () => {
  const environ = { NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '1', WATCHDOG_PID: '2', HOME: '/' };
  const sent: string[] = [];
  const service = new ServiceManager(environ, (path, text) => sent.push(path, text));
  expect(environ.NOTIFY_SOCKET).toBe('/x');
  service.forgetVariables();
  expect(environ).toEqual({ HOME: '/' });
  service.ready();
  expect(sent).toEqual(['/x', 'READY=1']);
});
