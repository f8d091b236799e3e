// The thread's site: its pages, and Django 1.1.1's order around them, with a real PostgreSQL.

import { Application, type HttpRequest } from '../../../lib/app/index.ts';
import type { Fix } from '../../../lib/lab/result.ts';
import { createSite, ERROR_HEADER, site, siteRequest, type SiteRequest } from '../../../lib/lab/site/index.ts';
import { Journal } from '../../../lib/lab/site/journal.ts';
import { adminPage } from '../../../lib/lab/site/pages.ts';
import { postgresServer } from '../../support/postgres.ts';
import { specJournal } from './legacy-connections.ts';

const postgres = postgresServer();
const journal = specJournal();
const endSessions = async (): Promise<void> => {
  await postgres.admin('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
  await postgres.until('their end', async () => (await postgres.backends()).length === 0);
};
beforeAll(() => createSite(postgres.url()));
afterEach(endSessions);

/** The site, imported. */
const imported = (fix: Fix): Promise<Application> =>
  site({ url: postgres.url(), fix, driver: 'pg', journal: journal.path });
const ask = ({ path, headers }: SiteRequest): { target: string; headers: Readonly<Record<string, string>> } => ({
  target: path,
  headers,
});
/** The events of a request, in a row. */
const eventsOf = (number: number): string =>
  journal
    .lines()
    .filter(({ request }) => request === number)
    .map(({ event }) => event)
    .join(' ');

describe('each fix', () => {
  test.each<Fix>(['none', 'lazy', 'started', 'pgbouncer-strict', 'pgbouncer-lenient'])(
    '%s: the page of a request, and of no other one',
    async (fix) => {
      const application = await imported(fix);
      for (const number of [1, 2, 3, 8, 9, 101]) {
        const request = siteRequest(number);
        const answer = await application.inject(ask(request));
        expect(answer.status).toBe(200);
        expect(answer.text()).toBe(request.page);
        expect(answer.header(ERROR_HEADER)).toBeUndefined();
        expect(request.page).not.toBe(siteRequest(number + 1).page);
      }
    },
  );
});

test('for staff only, and for polls that there are', async () => {
  const application = await imported('none');
  const refused = await application.inject({ target: '/admin/polls/1/' });
  expect([refused.status, refused.text(), refused.header(ERROR_HEADER)]).toEqual([
    403,
    'HttpError: for staff only\n',
    'HttpError',
  ]);
  for (const target of ['/admin/polls/101/', '/admin/polls/x/', '/']) {
    const answer = await application.inject({ ...ask(siteRequest(1)), target });
    expect([answer.status, answer.header(ERROR_HEADER)]).toEqual([404, 'HttpError']);
  }
});

describe('the connection of the import', () => {
  test('is there before the first request, which uses it and closes it; each later one has its own', async () => {
    const application = await imported('none');
    expect(journal.events()).toBe('import open query');
    expect(await postgres.backends()).toHaveLength(1);
    await application.inject(ask(siteRequest(1)));
    expect(eventsOf(1)).toBe('begin query query query close end');
    await application.inject(ask(siteRequest(2)));
    expect(eventsOf(2)).toBe('begin open query query query close end');
  });

  test('lazy: is not there; the first request asks for the configuration too', async () => {
    const application = await imported('lazy');
    expect(journal.events()).toBe('import');
    await application.inject(ask(siteRequest(1)));
    expect(eventsOf(1)).toBe('begin open query query query query close end');
    await application.inject(ask(siteRequest(2)));
    expect(eventsOf(2)).toBe('begin open query query query close end');
  });

  test('started: is closed when the first request starts', async () => {
    const application = await imported('started');
    await application.inject(ask(siteRequest(1)));
    expect(eventsOf(1)).toBe('begin close open query query query close end');
  });
});

describe('request_finished is sent before the answer leaves', () => {
  test('the connection is closed when the page comes', async () => {
    const application = await imported('none');
    const answer = await application.inject(ask(siteRequest(5)));
    expect(answer.status).toBe(200);
    expect(journal.events()).toBe('import open query begin query query query close end');
  });

  test('after a page that fails too, whose error is shown', async () => {
    const application = await imported('none');
    await endSessions();
    const lost = await application.inject(ask(siteRequest(1)));
    expect([lost.status, lost.header(ERROR_HEADER)]).toEqual([500, 'OperationalError']);
    expect(lost.text()).toMatch(/^OperationalError: terminating connection due to administrator command\n$/);
    expect(eventsOf(1)).toBe('begin query error close end');
    expect((await application.inject(ask(siteRequest(2)))).status).toBe(200);
  });

  test('what closing raises replaces the page, and every later one', async () => {
    const application = await imported('pgbouncer-strict');
    await endSessions();
    for (const number of [1, 2, 3]) {
      const answer = await application.inject(ask(siteRequest(number)));
      expect([answer.status, answer.header(ERROR_HEADER)]).toEqual([500, 'InterfaceError']);
      expect(answer.text()).toBe('InterfaceError: connection already closed\n');
    }
    expect(eventsOf(1)).toBe('begin query error error end');
    expect(eventsOf(2)).toBe('begin error error end');
  });
});

test('started: a session that was lost since the import harms nobody, because closing it comes first', async () => {
  const application = await imported('started');
  await endSessions();
  expect((await application.inject(ask(siteRequest(1)))).status).toBe(200);
  expect(eventsOf(1)).toBe('begin close open query query query close end');
});

test('rows that somebody else has asked for are noted, and make no page', async () => {
  const request = await requestOf(siteRequest(4));
  const [, key = ''] = siteRequest(4).headers['Cookie']?.split('=') ?? [];
  const answers = [[{ session_key: key, user_id: '4' }], [{ id: '7', question: 'Question 7?' }]];
  const page = adminPage(request, () => Promise.resolve(answers.shift() ?? []), new Journal(journal.path));
  await expect(page).rejects.toThrow(new TypeError('the row has no username, but id, question'));
  expect(journal.lines().map(({ event, request: number }) => [event, number])).toEqual([['foreign', 4]]);
});

async function requestOf(asked: SiteRequest): Promise<HttpRequest> {
  const seen: HttpRequest[] = [];
  const application = new Application();
  application.use((request) => {
    seen.push(request);
    return 'seen';
  });
  await application.inject(ask(asked));
  return seen[0] as HttpRequest;
}
