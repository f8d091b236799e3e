// sessions(): read when they are asked for, saved where they were changed, told to nobody else.

import { createHash } from 'node:crypto';
import { HttpResponse, type AppHandler } from '../../lib/app/index.ts';
import { deleteExpiredSessions, sessions, type Session } from '../../lib/auth/index.ts';
import { connections, db } from '../../lib/db/index.ts';
import { Latch } from './latch.ts';
import { application, authSite, setCookies, Visitor } from './site.ts';

const { postgres, statements } = authSite();

const FIND = 'postfork: find session';
const INSERT = 'postfork: insert session';
const UPDATE = 'postfork: update session';

/** A visitor of an application whose pages are these. */
function visitor(pages: Record<string, AppHandler>, options?: Parameters<typeof sessions>[0]): Visitor {
  const app = application(options);
  for (const [path, handler] of Object.entries(pages)) app.get(path, handler);
  return new Visitor(app);
}

/** Sets what its query says. */
const set: AppHandler = async (request) => {
  const session = await request.session;
  for (const [name, value] of request.query) session.set(name, value);
  return 'set';
};

/** What is in the session. */
const show: AppHandler = async (request) => {
  const session = await request.session;
  return HttpResponse.json(Object.fromEntries(session.keys().map((name) => [name, session.get(name)])));
};

const rows = async (): Promise<number> => (await postgres.admin('SELECT FROM postfork_sessions')).length;
const keyOf = (token: string | undefined): Buffer =>
  createHash('sha256')
    .update(token as string)
    .digest();
const dataOf = async (token: string | undefined): Promise<unknown> =>
  (await postgres.admin<{ data: unknown }>('SELECT data FROM postfork_sessions WHERE key = $1', [keyOf(token)]))[0]
    ?.data;

afterEach(() => postgres.admin('DELETE FROM postfork_sessions'));

describe('queries', () => {
  test('none where the session is not asked for, none where there is no cookie, one where it is', async () => {
    const client = visitor({ '/set': set, '/show': show, '/other': () => 'other' });
    expect(await statements(() => client.get('/show'))).toEqual([]);
    await client.get('/set?a=1');
    expect(await statements(() => client.get('/other'))).toEqual([]);
    expect(await statements(() => client.get('/show'))).toEqual([FIND]);
  });

  test('one, however often and by how many at once it is asked for', async () => {
    const client = visitor({
      '/set': set,
      '/often': async (request) => {
        const all = await Promise.all([request.session, request.session, request.user.then(() => request.session)]);
        all.push(await request.session);
        return String(new Set(all).size);
      },
    });
    await client.get('/set?a=1');
    const found = await statements(async () => {
      expect((await client.get('/often')).text()).toBe('1');
    });
    expect(found).toEqual([FIND]);
  });

  test('two where something has changed; an insert for a new session', async () => {
    const client = visitor({ '/set': set });
    expect(await statements(() => client.get('/set?a=1'))).toEqual([INSERT]);
    expect(await statements(() => client.get('/set?b=2'))).toEqual([FIND, UPDATE]);
  });

  test('none for a cookie that is no token', async () => {
    const client = visitor({ '/show': show });
    for (const text of ['', 'x', 'x'.repeat(5000), '%00'.repeat(43), '"'.repeat(43), `${'a'.repeat(42)}=`]) {
      client.cookies.set('sessionid', text);
      const asked = await statements(async () => {
        expect((await client.get('/show')).json()).toEqual({});
      });
      expect(asked).toEqual([]);
    }
  });
});

describe('the cookie', () => {
  test('is for the server alone, Lax, for two weeks, and secure over https', async () => {
    const client = visitor({ '/set': set });
    const [cookie] = setCookies(await client.get('/set?a=1'));
    expect(cookie).toMatch(
      /^sessionid=[\w-]{43}; Max-Age=1209600; Path=\/; Expires=[^;]+ GMT; HttpOnly; SameSite=Lax$/,
    );
    const app = application().get('/set', set);
    const [secure] = setCookies(await app.inject({ target: '/set?a=1', environ: { HTTPS: 'on' } }));
    expect(secure).toMatch(/; HttpOnly; Secure; SameSite=Lax$/);
  });

  test('is as its options say', async () => {
    const options = { cookieName: '__Secure-s', maxAge: 60, secure: true, path: '/x', domain: 'a.example' } as const;
    const app = application({ ...options, sameSite: 'Strict' }).get('/set', set);
    const [cookie] = setCookies(await app.inject('/set?a=1'));
    expect(cookie).toMatch(
      /^__Secure-s=[\w-]{43}; Max-Age=60; Domain=a\.example; Path=\/x; Expires=[^;]+; HttpOnly; Secure; SameSite=Strict$/,
    );
  });

  test.each([
    [{ cookieName: '__Host-s' }, 'needs secure: true'],
    [{ cookieName: '__Host-s', secure: true, path: '/x' }, 'has the path / and no domain'],
    [{ sameSite: 'None' }, 'sameSite None needs secure: true'],
    [{ sameSite: 'none' as 'None' }, 'sameSite None needs secure: true'],
    [{ cookieName: 'my session' }, 'name is invalid'],
    [{ path: '/a;b' }, 'path is invalid'],
    [{ domain: 'a b' }, 'domain is invalid'],
    [{ maxAge: 0 }, 'maxAge is a whole number of seconds'],
    [{ maxAge: 1e9 }, '400 days'],
    [{ maxBytes: NaN }, 'maxBytes'],
  ] as const)('%j is refused', (options, message) => {
    expect(() => sessions(options)).toThrow(message);
  });

  test('is found behind others of its name, such as a parent domain sends', async () => {
    const client = visitor({ '/set': set, '/show': show });
    await client.get('/set?a=1');
    const ours = `sessionid=${client.token}`;
    for (const cookies of [
      `sessionid=b1pg2xq3u0q7mtdv8kze5jw4n9chy6fs; ${ours}`,
      `sessionid=; x=y ;${ours} `,
      `${ours}; sessionid=x`,
    ]) {
      expect((await client.ask('GET', '/show', { Cookie: cookies })).json()).toEqual({ a: '1' });
    }
    expect((await client.ask('GET', '/show', { Cookie: `xsessionid=${client.token}` })).json()).toEqual({});
  });

  test('is sent where something was saved and nowhere else', async () => {
    const client = visitor({ '/set': set, '/show': show });
    expect(setCookies(await client.get('/show'))).toEqual([]);
    expect(setCookies(await client.get('/set'))).toEqual([]); // new and empty: it is not stored
    expect(await rows()).toBe(0);
    expect(setCookies(await client.get('/set?a=1'))).toHaveLength(1);
    expect(setCookies(await client.get('/show'))).toEqual([]);
  });

  test('makes up no type for an answer that has none', async () => {
    const client = visitor({
      '/untyped': async (request) => {
        (await request.session).set('a', 1);
        return Object.assign(new HttpResponse('text'), { typed: false }); // as of an adapted listener
      },
    });
    const response = await client.get('/untyped');
    expect([setCookies(response).length, response.header('Content-Type')]).toEqual([1, undefined]);
  });

  test('is never put on a response that other requests get too', async () => {
    const shared = HttpResponse.text('the same for all');
    const client = visitor({
      '/shared': async (request) => {
        (await request.session).set('a', 1);
        return shared;
      },
    });
    await client.get('/shared');
    expect(client.token).toBeDefined();
    expect(shared.headers.has('Set-Cookie')).toBe(false);
  });
});

describe('the token', () => {
  test('is not in the table, whose key is its SHA-256', async () => {
    const client = visitor({ '/set': set });
    await client.get('/set?a=1');
    const [row] = await postgres.admin<{ key: Buffer; text: string }>(
      'SELECT key, s::text AS text FROM postfork_sessions s',
    );
    expect(row?.key).toEqual(keyOf(client.token));
    expect(row?.text).not.toContain(client.token);
  });

  test('that a client has thought of is never used', async () => {
    const client = visitor({ '/set': set });
    const thought = 'A'.repeat(43);
    client.cookies.set('sessionid', thought);
    await client.get('/set?a=1');
    expect(client.token).not.toBe(thought);
    expect(await dataOf(client.token)).toEqual({ a: '1' });
    expect(await rows()).toBe(1);
  });

  test('opens nothing once the session has expired', async () => {
    const client = visitor({ '/set': set, '/show': show });
    await client.get('/set?a=1');
    const old = client.token;
    await postgres.admin("UPDATE postfork_sessions SET expires_at = now() - interval '1 ms'");
    expect((await client.get('/show')).json()).toEqual({});
    await client.get('/set?b=2');
    expect(client.token).not.toBe(old);
    expect(await dataOf(client.token)).toEqual({ b: '2' });
  });

  test('is another one after rotate(), the data the same', async () => {
    const client = visitor({
      '/set': set,
      '/show': show,
      '/rotate': async (request) => {
        (await request.session).rotate();
        return 'rotated';
      },
    });
    await client.get('/set?a=1');
    const old = client.token as string;
    await client.get('/rotate');
    expect(client.token).not.toBe(old);
    expect((await client.get('/show')).json()).toEqual({ a: '1' });
    expect(await rows()).toBe(1);
    client.cookies.set('sessionid', old);
    expect((await client.get('/show')).json()).toEqual({});
  });
});

describe('values', () => {
  const during = async (act: (session: Session) => unknown): Promise<void> => {
    let error: unknown;
    const client = visitor({
      '/': async (request) => {
        try {
          await act(await request.session);
        } catch (thrown) {
          error = thrown;
        }
        return 'done';
      },
    });
    await client.get('/');
    if (error !== undefined) throw error as Error;
  };

  test('come back as JSON makes them, changed and deleted ones too', async () => {
    const client = visitor({
      '/first': async (request) => {
        const session = await request.session;
        session
          .set('list', [1, { two: 'zwei' }])
          .set('at', new Date(0))
          .set('gone', 1)
          .set('__proto__', { x: 1 });
        expect([session.isNew, session.get('list')]).toEqual([true, [1, { two: 'zwei' }]]);
        return 'first';
      },
      '/second': async (request) => {
        const session = await request.session;
        expect([session.delete('gone'), session.delete('never')]).toEqual([true, false]);
        return String(session.set('list', null).has('gone'));
      },
      '/show': async (request) => HttpResponse.json((await request.session).keys().toSorted()),
      '/clear': async (request) => {
        const session = await request.session;
        session.set('soon gone', 1);
        session.clear();
        return String(session.set('left', true).keys());
      },
    });
    await client.get('/first');
    await client.get('/second');
    expect(await dataOf(client.token)).toEqual({ list: null, at: '1970-01-01T00:00:00.000Z', ['__proto__']: { x: 1 } });
    expect((await client.get('/show')).json()).toEqual(['__proto__', 'at', 'list']);
    expect((await client.get('/clear')).text()).toBe('left');
    expect(await dataOf(client.token)).toEqual({ left: true });
  });

  test('cannot be changed without set, which would not be saved', async () => {
    const list = [1];
    const push = (session: Session): unknown => session.set('list', list).get<number[]>('list')?.push(2);
    await expect(during(push)).rejects.toThrow('not extensible');
    expect(list).toEqual([1]);
    const client = visitor({
      '/set': async (request) => String((await request.session).set('deep', { list: [] }).isNew),
      '/push': async (request) => String((await request.session).get<{ list: number[] }>('deep')?.list.push(1)),
    });
    await client.get('/set');
    expect((await client.get('/push')).stderr).toContain('not extensible');
  });

  test('are counted as they are set: thousands cost no time', async () => {
    let ms = Infinity;
    await during((session) => {
      const begin = process.cpuUsage();
      for (let at = 0; at < 4000; at++) session.set(`n${at}`, 'text').set('sum', at).delete('none');
      const { user, system } = process.cpuUsage(begin);
      ms = (user + system) / 1000;
    });
    expect(ms).toBeLessThan(1500); // 5000 where all are counted again with each
  });

  test('may have as many bytes as JSON needs, those that are replaced or deleted not counted', async () => {
    const client = visitor(
      {
        '/': async (request) => {
          const session = await request.session;
          session.clear();
          session.set('ä', 'x'); // {"ä":"x"}: 10 bytes
          session.set('ä', 'xyz').set('b', 12345678); // {"ä":"xyz","b":12345678}: 25
          expect(() => session.set('b', 123456789)).toThrow('26 bytes with b are more than the 25');
          session.delete('b');
          session.set('ä', 'x'.repeat(16));
          expect(() => session.set('ä', 'x'.repeat(17))).toThrow(RangeError);
          return 'done';
        },
      },
      { maxBytes: 25 },
    );
    for (let round = 0; round < 2; round++) expect((await client.get('/')).text()).toBe('done');
  });

  test('have names that are text: others would be other ones when they come back', async () => {
    await expect(during((session) => session.set(7 as unknown as string, 1))).rejects.toThrow('is text, not number');
  });

  test.each([
    ['a function', () => {}, TypeError, 'has no JSON form'],
    ['undefined', undefined, TypeError, 'has no JSON form'],
    ['a bigint', 1n, TypeError, 'BigInt'],
    ['U+0000', { a: ['\0'] }, TypeError, 'U+0000'],
    ['half a surrogate pair', { '\ud800': 1 }, TypeError, 'surrogate'],
    ['more than 64 KiB', 'x'.repeat(64 * 1024), RangeError, 'are more than the 65536 it may have'],
  ])('%s is refused', async (_what, value, type, message) => {
    const setting = during((session) => session.set('name', value));
    await expect(setting).rejects.toThrow(type);
    await expect(setting).rejects.toThrow(message);
    expect(await rows()).toBe(0);
  });
});

describe('two requests of one session at once', () => {
  /** Both have read the session before either saves it: first `one` ends, then `other`. */
  async function atOnce(
    one: (session: Session) => unknown,
    other: (session: Session) => unknown,
    options?: Parameters<typeof sessions>[0],
  ): Promise<[Visitor, number]> {
    const [read, saved] = [new Latch(), new Latch()];
    const client = visitor(
      {
        '/set': set,
        '/one': async (request) => {
          const session = await request.session;
          await read.opened;
          await one(session);
          return 'one';
        },
        '/other': async (request) => {
          const session = await request.session;
          read.open();
          await saved.opened;
          await other(session);
          return 'other';
        },
      },
      options,
    );
    await client.get('/set?both=0&gone=0');
    const second = client.get('/other');
    await client.get('/one');
    saved.open();
    return [client, (await second).status];
  }

  test('lose nothing of each other: of one name the later value stays', async () => {
    const [client, status] = await atOnce(
      (session) => session.set('first', 1).set('both', 1).delete('gone'),
      (session) => session.set('second', 2).set('both', 2),
    );
    expect(status).toBe(200);
    expect(await dataOf(client.token)).toEqual({ first: 1, second: 2, both: 2 });
  });

  test('the one that ends it wins: nothing brings it back, and the other one is told', async () => {
    const [client, status] = await atOnce(
      (session) => session.destroy(),
      (session) => session.set('late', 1),
    );
    expect(status).toBe(400);
    expect(client.token).toBeUndefined();
    expect(await rows()).toBe(0);
  });

  test('the one that only puts its end off has nothing to lose', async () => {
    const [client, status] = await atOnce(
      (session) => session.destroy(),
      () => {},
      { saveEveryRequest: true },
    );
    expect(status).toBe(200);
    expect([client.token, await rows()]).toEqual([undefined, 0]);
  });

  test('the one that rotates it wins', async () => {
    const [client, status] = await atOnce(
      (session) => session.rotate(),
      (session) => session.set('late', 1),
    );
    expect(status).toBe(400);
    expect(await dataOf(client.token)).toEqual({ both: '0', gone: '0' });
  });

  test('50 that set a name each lose none', async () => {
    const client = visitor({ '/set': set });
    await client.get('/set?begun=1');
    const all = await Promise.all(Array.from({ length: 50 }, (_, at) => client.get(`/set?n${at}=${at}`)));
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([200]));
    expect(Object.keys((await dataOf(client.token)) as object)).toHaveLength(51);
  });
});

describe('destroy()', () => {
  test('deletes the row and the cookie, also where the handler fails then', async () => {
    const client = visitor({
      '/set': set,
      '/destroy': async (request) => {
        await (await request.session).destroy();
        if (request.query.has('fail')) throw new Error('behind it');
        return 'destroyed';
      },
    });
    for (const [target, status] of [
      ['/destroy', 200],
      ['/destroy?fail', 500],
    ] as const) {
      // prettier-ignore
      await client.get('/set?a=1');
      const response = await client.get(target);
      expect(response.status).toBe(status);
      expect(setCookies(response)).toEqual([
        expect.stringMatching(/^sessionid=; Max-Age=0; Path=\/; Expires=Thu, 01 Jan 1970/),
      ]);
      expect(await rows()).toBe(0);
    }
  });

  test('what is set afterwards begins another session', async () => {
    const client = visitor({
      '/set': set,
      '/restart': async (request) => {
        const session = await request.session;
        await session.destroy();
        return String(session.set('flash', 'bye').isNew);
      },
    });
    await client.get('/set?a=1');
    const old = client.token;
    expect((await client.get('/restart')).text()).toBe('true');
    expect(client.token).not.toBe(old);
    expect(await dataOf(client.token)).toEqual({ flash: 'bye' });
    expect(await rows()).toBe(1);
  });
});

describe('what the handler answers', () => {
  const fail: AppHandler = async (request) => {
    (await request.session).set('a', 1);
    if (request.query.has('thrown')) throw new Error('thrown');
    return HttpResponse.text('', { status: Number(request.query.get('status')) });
  };

  test.each([
    ['/?status=200', 200, 1],
    ['/?status=404', 404, 1],
    ['/?status=503', 503, 0],
    ['/?thrown', 500, 0],
  ])('%s: saved unless it is an error of the server', async (target, status, saved) => {
    const client = visitor({ '/': fail });
    const response = await client.get(target);
    expect([response.status, setCookies(response).length, await rows()]).toEqual([status, saved, saved]);
  });

  test('says to caches that it is for one client, where the session was asked for', async () => {
    const client = visitor({
      '/set': set,
      '/show': show,
      '/other': () => 'other',
      '/public': async (request) => {
        if (request.query.has('set')) (await request.session).set('a', 1);
        return new HttpResponse('x', {
          headers: { 'Cache-Control': `${request.query.get('say')}, max-age=60`, Vary: 'Accept' },
        });
      },
    });
    const said = async (target: string): Promise<unknown[]> => {
      const response = await client.get(target);
      return [response.header('Vary'), response.header('Cache-Control')];
    };
    expect(await said('/other')).toEqual([undefined, undefined]);
    expect(await said('/show')).toEqual(['Cookie', 'private, no-cache']);
    expect(await said('/set?a=1')).toEqual(['Cookie', 'private, no-cache']);
    expect(await said('/public?say=public')).toEqual(['Accept', 'public, max-age=60']);
    expect(await said('/public?say=private&set')).toEqual(['Accept, Cookie', 'private, max-age=60']);
    expect(await said('/public?say=public&set')).toEqual(['Accept, Cookie', 'private, no-cache']); // with a cookie in it
  });

  test('is too late to change the session: in a streamed body, in waitUntil, by whom the session is given later', async () => {
    const errors: unknown[] = [];
    const change = (session: Session): void => {
      for (const act of [
        () => session.set('a', 1),
        () => session.delete('a'),
        () => session.clear(),
        () => session.rotate(),
      ]) {
        try {
          act();
        } catch (error) {
          errors.push((error as Error).message);
        }
      }
    };
    const client = visitor({
      '/stream': async (request) => {
        const session = await request.session;
        return HttpResponse.stream(
          (async function* () {
            change(session);
            yield 'body';
          })(),
        );
      },
      '/later': (request) => {
        const sent = new Latch();
        request.waitUntil(sent.opened.then(async () => change(await request.session)));
        setImmediate(() => sent.open());
        return 'sent';
      },
    });
    await client.get('/stream');
    await client.get('/later');
    expect(errors).toHaveLength(8);
    expect(new Set(errors)).toEqual(new Set([expect.stringContaining('the session cannot be changed any more')]));
    expect(await rows()).toBe(0);
  });

  test('is dropped, its body freed, where the session cannot be saved', async () => {
    let freed = false;
    const body = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve({ done: true as const, value: undefined }),
        return: () => {
          freed = true;
          return Promise.resolve({ done: true as const, value: undefined });
        },
      }),
    };
    const client = visitor({
      '/set': set,
      '/lost': async (request) => {
        (await request.session).set('b', 1);
        await postgres.admin('DELETE FROM postfork_sessions');
        return HttpResponse.stream(body);
      },
    });
    await client.get('/set?a=1');
    const response = await client.get('/lost');
    expect([response.status, freed]).toEqual([400, true]);
    expect(response.text()).toContain('the session was ended or renewed by another request');
  });
});

test('a session that nobody waited for is there when the answer goes', async () => {
  const client = visitor({
    '/set': set,
    '/careless': (request) => {
      void request.session.then((session) => session.set('late', 1));
      return 'at once';
    },
  });
  await client.get('/set?a=1');
  expect((await client.get('/careless')).status).toBe(200);
  expect(await dataOf(client.token)).toEqual({ a: '1', late: 1 });
});

test('saveEveryRequest puts its end off with every request that has one', async () => {
  const client = visitor({ '/set': set, '/other': () => 'other' }, { saveEveryRequest: true, maxAge: 1000 });
  expect(await statements(() => client.get('/other'))).toEqual([]);
  await client.get('/set?a=1');
  await postgres.admin("UPDATE postfork_sessions SET expires_at = now() + interval '1 minute'");
  expect(setCookies(await client.get('/other'))).toHaveLength(1);
  const [row] = await postgres.admin<{ left: number }>(
    'SELECT extract(epoch FROM expires_at - now())::int AS left FROM postfork_sessions',
  );
  expect(row?.left).toBeGreaterThan(900);
});

test('a sub-application with sessions of its own shares those around it', async () => {
  const inner = application({ cookieName: 'inner' }).get('/set', set);
  const client = new Visitor(application().mount('/inner', inner));
  await client.get('/inner/set?a=1');
  expect([...client.cookies.keys()]).toEqual(['sessionid']);
});

test('a rejected load in a transaction is tried again', async () => {
  const client = visitor({
    '/set': set,
    '/retry': async (request) => {
      const aborted = db.transaction(async () => {
        await db.query('SELECT 1/0').catch(() => {});
        await request.session;
      });
      await expect(aborted).rejects.toThrow('current transaction is aborted');
      return String((await request.session).get('a'));
    },
  });
  await client.get('/set?a=here');
  expect((await client.get('/retry')).text()).toBe('here');
});

test('deleteExpiredSessions deletes those and no others, a batch at a time', async () => {
  await postgres.admin(
    `INSERT INTO postfork_sessions (key, expires_at)
     SELECT sha256(n::text::bytea), now() + (n - 25) * interval '1 hour' - interval '1 s' FROM generate_series(1, 30) n`,
  );
  let deleted: number[] = [];
  const asked = await statements(async () => {
    deleted = await connections.scope(async () => [
      await deleteExpiredSessions({ batch: 10 }),
      await deleteExpiredSessions(),
    ]);
  });
  expect(deleted).toEqual([25, 0]);
  expect(asked.filter((name) => name === 'postfork: delete expired sessions')).toHaveLength(4); // 10, 10, 5; 0
  expect(await rows()).toBe(5);
  await expect(deleteExpiredSessions({ batch: 0 })).rejects.toThrow(RangeError);
});

test('without the database only requests that ask for the session fail: with an OperationalError', async () => {
  const errors: unknown[] = [];
  const client = visitor({
    '/other': () => 'other',
    '/show': async (request) => {
      try {
        return await show(request);
      } catch (error) {
        errors.push((error as Error).name);
        throw error;
      }
    },
    '/caught': async (request) => request.session.then(String, () => 'caught'),
  });
  client.cookies.set('sessionid', 'A'.repeat(43));
  await postgres.server.stop();
  expect((await client.get('/other')).status).toBe(200);
  expect((await client.get('/show')).status).toBe(503);
  expect(errors).toEqual(['OperationalError']);
  expect((await client.get('/caught')).text()).toBe('caught');
  await postgres.server.start();
  expect((await client.get('/show')).json()).toEqual({});
});
