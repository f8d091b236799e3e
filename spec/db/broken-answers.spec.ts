// Answers that break off in ways that a server alone does not show: said to be over and still open, half closed, not understood.

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { configureDatabases, connections } from '../../lib/db/index.ts';
import { rejection } from '../support/client-and-application.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();
const sockets = new Set<Socket>();
const servers: Server[] = [];

/** From the piece with this word on nothing gets through on the first connection with it; `act` has it then. '': from the first piece on. */
interface Break {
  word: string;
  act: (client: Socket) => void;
}

const CANCEL_REQUEST = 80877102;
const FATAL = (sqlstate: string): Buffer => {
  const fields = `SFATAL\0VFATAL\0C${sqlstate}\0Mover\0Fpostgres.c\0\0`;
  return message('E', Buffer.from(fields));
};
const message = (type: string, body: Buffer): Buffer => {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), length, body]);
};
const says = (bytes: Buffer) => (client: Socket) => void client.write(bytes);
const UNKNOWN = message('!', Buffer.alloc(0));
const TOO_SHORT = message('T', Buffer.from([0, 9])); // a row of nine columns, of which none comes
const GSSAPI = message('R', Buffer.from([0, 0, 0, 7]));

const BREAKS: Readonly<Record<string, Break>> = {
  'says that it is over': { word: 'MARK', act: says(FATAL('57P01')) },
  'has been idle in a transaction': { word: 'MARK', act: says(FATAL('25P03')) },
  'says what nobody knows': { word: 'MARK', act: says(UNKNOWN) },
  'says less than it announces': { word: 'MARK', act: says(TOO_SHORT) },
  'has ended, and reads no more': { word: 'MARK', act: (client) => void client.pause().end() },
  'over in COMMIT': { word: 'COMMIT', act: says(FATAL('57P01')) },
  'unknown in COMMIT': { word: 'COMMIT', act: says(UNKNOWN) },
  'wants GSSAPI': { word: '', act: says(GSSAPI) },
};

async function way({ word, act }: Break): Promise<string> {
  const url = new URL(postgres.url());
  const port = Number(url.port);
  let broken = false;
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect(port, '127.0.0.1');
    let silent = false;
    client.on('data', (data) => {
      if (data.length === 16 && data.readInt32BE(4) === CANCEL_REQUEST)
        silent = true; // nobody answers
      else if (!broken && data.includes(word)) {
        silent = broken = true;
        act(client);
      } else if (!silent) upstream.write(data);
    });
    upstream.on('data', (data) => void (silent || client.write(data)));
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => {}));
    client.on('close', () => upstream.destroy());
    client.on('end', () => upstream.end());
    upstream.on('close', () => void (silent || client.destroy()));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url.port = String((server.address() as AddressInfo).port);
  return url.href;
}

beforeAll(async () => {
  const urls = await Promise.all(Object.entries(BREAKS).map(async ([name, one]) => [name, await way(one)] as const));
  const deaf = await way({ word: 'never', act: () => {} });
  configureDatabases({
    ...Object.fromEntries(urls),
    again: { url: await way(BREAKS['says that it is over'] as Break), retryReads: true },
    deaf: { url: deaf, cancelOnAbort: true },
  });
});
afterAll(async () => {
  await connections.closeAll();
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

const LOST = { name: 'OperationalError', code: 'CONNECTION_LOST' };
const free = (alias: string): void => expect(connections.stats()[alias]).toMatchObject({ open: 0, inUse: 0 });

test.each([
  ['says that it is over', { sqlstate: '57P01' }],
  ['has been idle in a transaction', { sqlstate: '25P03' }],
  ['says what nobody knows', {}],
  ['says less than it announces', {}],
])(
  'a server that %s, and does not close: the connection is lost at once, the next statement works',
  async (alias, more) => {
    const database = connections.get(alias);
    await connections.scope(async () => {
      expect(await rejection(database.query('SELECT 1 /* MARK */'))).toMatchObject({ ...LOST, ...more });
      expect((await database.query('SELECT 1 AS n /* MARK */')).rows).toEqual([{ n: 1 }]);
    });
    free(alias);
  },
);

test('a read is sent again then, where that is asked for', async () => {
  const { rows } = await connections.scope(() => connections.get('again').query('SELECT 1 AS n /* MARK */'));
  expect(rows).toEqual([{ n: 1 }]);
});

test('a server that has ended and reads no more: what is still to be written to it is not waited for', async () => {
  const alias = 'has ended, and reads no more';
  const large = 'x'.repeat(20_000_000);
  const asked = connections.scope(() => connections.get(alias).query('SELECT length($1::text) /* MARK */', [large]));
  expect(await rejection(asked)).toMatchObject(LOST);
  free(alias);
});

test.each(['over in COMMIT', 'unknown in COMMIT'])('%s: nobody knows whether it is committed', async (alias) => {
  const database = connections.get(alias);
  const failed = connections.scope(() => database.transaction(() => database.query('SELECT 1')));
  expect(await rejection(failed)).toMatchObject({ name: 'OperationalError', code: 'COMMIT_UNKNOWN' });
  free(alias);
});

test('a way of authentication that the driver does not know is a connection that cannot be made', async () => {
  const failed = await rejection(connections.scope(() => connections.get('wants GSSAPI').query('SELECT 1')));
  expect(failed).toMatchObject({ name: 'OperationalError', code: 'CONNECT_FAILED' });
  expect(failed.message).toMatch(/pg_hba\.conf/);
});

test('a statement of a request that was aborted fails with that, also where the cancel request is not answered', async () => {
  const stop = new AbortController();
  const database = connections.get('deaf');
  const failed = connections.scope(() => rejection(database.query('SELECT pg_sleep(60)')), { signal: stop.signal });
  await postgres.until('it runs', async () =>
    (await postgres.backends()).some(({ query, state }) => state === 'active' && query.includes('pg_sleep')),
  );
  stop.abort();
  expect(await failed).toMatchObject({ name: 'OperationalError', code: 'ABORTED', cause: LOST });
  free('deaf');
});
