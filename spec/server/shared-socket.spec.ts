// Several processes on one listening socket, as workers have it: none disturbs the others.

import { existsSync } from 'node:fs';
import { RawClient } from '../support/raw-client.ts';
import { startWithSocket } from '../support/perl-socket.ts';
import type { SpecProcess } from '../support/process.ts';
import { head, request, STDIN, stream } from '../support/raw-records.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder();

// The parent keeps the socket as an arbiter does, and reaps both.
const TWO_WORKERS = `
  my @pids;
  for (1, 2) {
    my $pid = fork;
    if (!$pid) { @pids = (); last }
    push @pids, $pid;
  }
  if (@pids) {
    print STDERR "workers @pids\\n";
    while ((my $gone = wait) > 0) { print STDERR "gone $gone with $?\\n" }
    exit;
  }
`;

const clients: RawClient[] = [];
let started: SpecProcess | undefined;
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await started?.stop('SIGKILL');
});

describe.each(['unix', 'inet'] as const)('on an inherited %s socket', (kind) => {
  test('a process that closes takes nothing away from one that serves on', async () => {
    const path = folder.join(`${kind}.sock`);
    started = startWithSocket({ kind, path, descriptor: 7, prelude: TWO_WORKERS, options: { listen: 'fd:7' } });
    const [, first, second] = (await started.says(/workers (\d+) (\d+)/)).map(Number) as [number, number, number];
    await started.says(/ready[^]*ready/);
    const where = kind === 'unix' ? path : Number((await started.says(/port (\d+)/))[1]);

    const connect = async (): Promise<RawClient> => {
      const client = await RawClient.connect(where);
      clients.push(client);
      return client;
    };
    const answer = async (client: RawClient): Promise<number> => {
      await client.send(request({ keep: true, params: { REQUEST_URI: '/pid' } }));
      return Number((await client.response()).body);
    };
    /** A kept connection of one of them, while the other cannot accept. */
    const connectTo = async (worker: number, other: number): Promise<RawClient> => {
      process.kill(other, 'SIGSTOP');
      const client = await connect();
      expect(await answer(client)).toBe(worker);
      process.kill(other, 'SIGCONT');
      return client;
    };
    const one = await connectTo(first, second);
    const other = await connectTo(second, first);

    await one.send(head({ keep: true, stdin: 'a body' }));
    await one.sync();
    process.kill(first, 'SIGTERM');
    await started.says(/closing/);
    for (let i = 0; i < 30; i++) expect(await answer(await connect())).toBe(second); // the first is closed, and alive
    await one.send(stream(STDIN, 1, 'a body'));
    expect((await one.response()).body).toBe('POST / a body');

    expect(await one.closed).toBe('end');
    await started.says(new RegExp(`gone ${first} with 0`));
    for (let i = 0; i < 30; i++) expect(await answer(await connect())).toBe(second);
    expect(await answer(other)).toBe(second);
    expect(existsSync(path)).toBe(kind === 'unix');

    process.kill(second, 'SIGTERM');
    expect(await started.exited).toEqual({ code: 0, signal: null });
  });
});
