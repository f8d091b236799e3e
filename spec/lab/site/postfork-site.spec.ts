// The same site on Postfork's own connections, with a real PostgreSQL. It binds them to the signals of this process.

import { connections } from '../../../lib/db/index.ts';
import type { Application } from '../../../lib/app/index.ts';
import { createSite, site, siteRequest } from '../../../lib/lab/site/index.ts';
import { postgresServer } from '../../support/postgres.ts';
import { specJournal } from './legacy-connections.ts';

const postgres = postgresServer();
const journal = specJournal();
let application: Application;

test('the connection of the import is kept by who uses it; requests have their own', async () => {
  await createSite(postgres.url());
  application = await site({ url: postgres.url(), fix: 'postfork', driver: 'pg', journal: journal.path });
  const kept = journal.lines().find(({ event }) => event === 'open');
  expect(journal.events()).toBe('import open query');
  for (const number of [1, 2, 3]) {
    const { path, headers, page } = siteRequest(number);
    const answer = await application.inject({ target: path, headers });
    expect([answer.status, answer.text()]).toEqual([200, page]);
    const lines = journal.lines().filter(({ request }) => request === number);
    expect(lines.map(({ event }) => event)).toEqual(['begin', 'open', 'query', 'query', 'query', 'close', 'end']);
    const used = new Set(lines.flatMap(({ connection }) => connection ?? []));
    expect(used.size).toBe(1);
    expect(used).not.toContain(kept?.connection);
  }
  const [backend, ...others] = await postgres.until('the end of the last request’s', async () => {
    const backends = await postgres.backends();
    return backends.length === 1 && backends;
  });
  expect([backend?.pid, others]).toEqual([kept?.backend, []]);
  await connections.closeAll();
});
