// examples/admin behind lighttpd, without a browser: what it refuses, and what becomes of its connections.

import { adminExamples, setUpAdmin, type AdminExample, type Logins } from '../support/admin-example.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();
let logins: Logins;

beforeAll(async () => {
  logins = await setUpAdmin(postgres.url());
}, 60_000);

/** A client that keeps its cookie and follows no redirect. */
class Visit {
  cookie = '';
  readonly #url: string;

  constructor({ url }: AdminExample) {
    this.#url = url;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return this.#send(path, { headers });
  }

  post(path: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> {
    return this.#send(path, { method: 'POST', body: new URLSearchParams(fields), headers });
  }

  logIn(username: keyof Logins, fields: Record<string, string> = {}): Promise<Response> {
    return this.post('/login', { username, password: logins[username], ...fields });
  }

  async #send(path: string, init: RequestInit): Promise<Response> {
    const headers = { Accept: 'text/html', Cookie: this.cookie, ...(init.headers as Record<string, string>) };
    const response = await fetch(this.#url + path, { ...init, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) this.cookie = line.split(';', 1)[0] ?? '';
    return response;
  }
}

const ours = async (): Promise<number> =>
  (await postgres.backends()).filter(({ application_name }) => application_name.startsWith('postfork-admin')).length;

describe('with CONN_MAX_AGE=0', () => {
  const start = adminExamples();
  let example: AdminExample;
  let visit: Visit;
  beforeAll(async () => {
    example = await start({ DATABASE_URL: postgres.url(), CONN_MAX_AGE: '0' });
  }, 30_000);
  beforeEach(() => {
    visit = new Visit(example);
  });

  test.each([
    ['//evil.example/', '/admin'],
    ['/\\evil.example', '/admin'],
    ['https://evil.example/', '/admin'],
    ['javascript:alert(1)', '/admin'],
    ['/admin/connections?all', '/admin/connections?all'],
  ])('after a login with next=%j the way leads to %s', async (next, location) => {
    const form = await (await visit.get(`/login?next=${encodeURIComponent(next)}`)).text();
    expect(form).toContain(`name="next" value="${location}"`);
    const response = await visit.logIn('admin', { next });
    expect([response.status, response.headers.get('Location')]).toEqual([303, location]);
  });

  test('a tab in the way, which browsers leave out, changes nothing', async () => {
    const response = await visit.logIn('admin', { next: '/\t/evil.example' }); // lighttpd lets none through in a query
    expect([response.status, response.headers.get('Location')]).toEqual([303, '/admin']);
  });

  test.each([
    ['/login', { 'Sec-Fetch-Site': 'cross-site' }],
    ['/logout', { Origin: 'https://evil.example' }],
    ['/admin/notes', { 'Sec-Fetch-Site': 'same-site' }],
    ['/admin/notes', { Origin: 'null' }],
  ])('POST %s from a page of another origin (%j) is refused and does nothing', async (path, headers) => {
    await visit.logIn('admin');
    const before = visit.cookie;
    const fields = { username: 'visitor', password: logins.visitor, text: 'forged' };
    expect((await visit.post(path, fields, headers)).status).toBe(403);
    expect(visit.cookie).toBe(before);
    expect(await (await visit.get('/')).text()).toContain('<strong>admin</strong>');
    expect(await postgres.admin("SELECT 1 FROM example_notes WHERE text = 'forged'")).toEqual([]);
  });

  test('no page that knows the user may be stored', async () => {
    const kept = async (path: string): Promise<unknown> => (await visit.get(path)).headers.get('Cache-Control');
    expect(await kept('/')).toBe('private, no-cache');
    await visit.logIn('visitor');
    expect(await kept('/admin')).toBe('no-store'); // 403
    await visit.logIn('admin');
    for (const path of ['/', '/admin', '/admin/connections'])
      expect([path, await kept(path)]).toEqual([path, 'no-store']);
  });

  test('a stranger adds no note, a visitor neither', async () => {
    expect((await visit.post('/admin/notes', { text: 'strange' })).status).toBe(401);
    await visit.logIn('visitor');
    expect((await visit.post('/admin/notes', { text: 'strange' })).status).toBe(403);
    expect(await postgres.admin("SELECT 1 FROM example_notes WHERE text = 'strange'")).toEqual([]);
  });

  test.each([
    ['an empty note', 400, '/admin/notes', { text: '   ' }],
    ['a note that is too long', 400, '/admin/notes', { text: 'x'.repeat(501) }],
    ['a note with a NUL', 400, '/admin/notes', { text: 'a\0b' }],
    ['a note that is not there', 404, '/admin/notes/0/delete', {}],
    ['a note without a number', 404, '/admin/notes/x/delete', {}],
    ['a note with a number out of bounds', 404, '/admin/notes/99999999999999999999/delete', {}],
  ])('%s: %i', async (_about, status, path, fields) => {
    await visit.logIn('admin');
    expect((await visit.post(path, fields as Record<string, string>)).status).toBe(status);
  });

  test('a note that cannot be logged is not deleted either: it is one transaction', async () => {
    await visit.logIn('admin');
    await postgres.admin("INSERT INTO example_notes (text, author) VALUES ('kept', 'spec')");
    await postgres.admin('ALTER TABLE example_note_log RENAME TO example_note_log_gone');
    const [note] = await postgres.admin<{ id: string }>("SELECT id FROM example_notes WHERE text = 'kept'");
    const { status } = await visit.post(`/admin/notes/${note?.id}/delete`, {});
    await postgres.admin('ALTER TABLE example_note_log_gone RENAME TO example_note_log');
    expect(status).toBe(500);
    expect(await postgres.admin("SELECT text FROM example_notes WHERE text = 'kept'")).toEqual([{ text: 'kept' }]);
  });

  test('a stranger for the home page costs no query, and no page leaves a connection behind', async () => {
    await visit.logIn('admin');
    for (const path of ['/', '/admin', '/admin/connections', '/login', '/none', '/admin/none']) {
      await visit.get(path);
      await postgres.until(`no backend after ${path}`, async () => (await ours()) === 0);
    }
    expect(await lives(visit)).toEqual({ open: '1', uses: 'use 1' });
  });

  test('the timeline remembers 200 lives and draws the last 20, or all', async () => {
    await visit.logIn('admin');
    const bars = async (path: string): Promise<number> =>
      [...(await (await visit.get(path)).text()).matchAll(/<line class="life"/g)].length;
    for (let round = 0; round < 21; round++) {
      await Promise.all(Array.from({ length: 20 }, () => visit.get('/')));
    }
    await postgres.until('a worker has its 200', async () => {
      const all = await bars('/admin/connections?all');
      expect(all).toBeLessThanOrEqual(200);
      return all === 200;
    });
    expect(await bars('/admin/connections')).toBe(20);
  }, 60_000);
});

describe('with CONN_MAX_AGE=60', () => {
  const start = adminExamples();
  let example: AdminExample;
  let visit: Visit;
  beforeAll(async () => {
    example = await start({ DATABASE_URL: postgres.url(), CONN_MAX_AGE: '60' });
    visit = new Visit(example);
    await visit.logIn('admin');
  }, 30_000);

  test('connections are kept, one a worker, and used again', async () => {
    for (let request = 0; request < 10; request++) expect((await visit.get('/admin')).status).toBe(200);
    const kept = await ours();
    expect([1, 2]).toContain(kept); // by one worker or both
    expect(Number((await lives(visit)).uses.split(' ')[1])).toBeGreaterThan(1);
    expect(await ours()).toBeGreaterThanOrEqual(kept);
    expect(await ours()).toBeLessThanOrEqual(2);
  });

  test('the server is restarted: pages without it go on, the others come again', async () => {
    await visit.get('/admin');
    await postgres.server.stop();
    const stranger = new Visit(example);
    expect((await stranger.get('/')).status).toBe(200);
    expect((await stranger.get('/admin')).status).toBe(302);
    expect((await visit.get('/login')).status).toBe(200); // also with a session
    expect((await visit.get('/admin')).status).toBe(503);
    await postgres.server.start();
    // Nothing was kept that is dead, so not even the first fails.
    expect((await visit.get('/admin')).status).toBe(200);
    expect((await visit.get('/admin')).status).toBe(200);
  }, 30_000);

  test('the server is restarted between two requests: the second one sees nothing of it', async () => {
    expect((await visit.get('/admin')).status).toBe(200);
    await postgres.server.stop();
    await postgres.server.start();
    const statuses: number[] = [];
    for (let request = 0; request < 6; request++) statuses.push((await visit.get('/admin')).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 200]);
  }, 30_000);
});

describe('with another CONN_MAX_AGE', () => {
  const start = adminExamples();

  test('none: a connection is kept until the worker ends', async () => {
    const example = await start({ DATABASE_URL: postgres.url(), CONN_MAX_AGE: 'none' });
    const visit = new Visit(example);
    await visit.logIn('admin');
    expect(await (await visit.get('/admin/connections')).text()).toContain('as long as it works');
    expect(await ours()).toBeGreaterThan(0);
    await example.stop();
    await postgres.until('none is left', async () => (await ours()) === 0);
  }, 30_000);

  test('what is no number is refused', async () => {
    await expect(start({ DATABASE_URL: postgres.url(), CONN_MAX_AGE: 'often' })).rejects.toThrow(
      'CONN_MAX_AGE is a number of seconds, or none; not often',
    );
  }, 30_000);
});

test('a second setup gives the users new passwords, and keeps what is there', async () => {
  await postgres.admin("INSERT INTO example_notes (text, author) VALUES ('there', 'spec')");
  const again = await setUpAdmin(postgres.url());
  expect(again.admin).not.toBe(logins.admin);
  expect(await postgres.admin('SELECT username, is_staff FROM postfork_users ORDER BY 1')).toEqual([
    { username: 'admin', is_staff: true },
    { username: 'visitor', is_staff: false },
  ]);
  expect(await postgres.admin("SELECT text FROM example_notes WHERE text = 'there'")).toEqual([{ text: 'there' }]);
  logins = again;
}, 30_000);

/** What the connections page says of the worker that answers: how many are open, and how often the last one was used. */
async function lives(visit: Visit): Promise<{ open: string; uses: string }> {
  const text = await (await visit.get('/admin/connections')).text();
  const open = /<dt>open<\/dt>\s*<dd>(\d+)<\/dd>/.exec(text)?.[1] ?? '';
  const [, count, use] = / · open · (\d+) (uses?) · GET \/admin\/connections</.exec(text) ?? [];
  return { open, uses: `${use} ${count}` };
}
