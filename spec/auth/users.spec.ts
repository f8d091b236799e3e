// Users: made, recognised by their passwords, logged in and out, and let in where they may be.

import { scryptSync } from 'node:crypto';
import { Application, HttpResponse } from '../../lib/app/index.ts';
import {
  authenticate,
  authentication,
  createUser,
  login,
  logout,
  requireStaff,
  requireUser,
  setPassword,
  type NewUser,
  type User,
} from '../../lib/auth/index.ts';
import { formatPassword } from '../../lib/auth/password-format.ts';
import { connection_acquired, connection_released, connections, db } from '../../lib/db/index.ts';
import { hashesOf } from './hashes.ts';
import { Latch } from './latch.ts';
import { application, authSite, Visitor } from './site.ts';

const { postgres, statements } = authSite();

const FIND = 'postfork: find session';

const make = (user: NewUser): Promise<User> => connections.scope(() => createUser(user));
const check = (name: string, password: string): Promise<User | undefined> =>
  connections.scope(() => authenticate(name, password));

/** A site with a way in, a way out, and pages. */
function site(): Application {
  return application()
    .get('/login', async (request) => {
      const user = await authenticate(request.query.get('name') ?? '', 'secret');
      if (user === undefined) return HttpResponse.text('wrong', { status: 403 });
      if (request.query.has('note')) (await request.session).set('note', request.query.get('note'));
      await login(request, user);
      return `${(await request.user).username} is in`;
    })
    .get('/logout', async (request) => {
      await logout(request);
      return `${(await request.user).isAuthenticated}`;
    })
    .get('/note', async (request) => {
      const session = await request.session;
      const note = request.query.get('is');
      return String(note === null ? session.get('note') : session.set('note', note).get('note'));
    })
    .get('/who', async (request) => {
      const user = await request.user;
      return HttpResponse.json(Object.assign({ again: (await request.user) === user }, user));
    })
    .get('/other', () => 'other')
    .get('/change', async (request) => {
      const user = await request.user;
      if (!user.isAuthenticated) return 'nobody';
      await login(request, await setPassword(user, 'secret'));
      return 'changed';
    });
}

/** "secret", at a cost of other days. */
const SALT = Buffer.alloc(16, 1);
const CHEAP = formatPassword({
  cost: { ln: 4, r: 8, p: 1 },
  salt: SALT,
  hash: scryptSync('secret', SALT, 32, { N: 16 }),
});

const who = async (client: Visitor): Promise<string> => ((await client.get('/who')).json() as User).username;

afterEach(() => postgres.admin('TRUNCATE postfork_users, postfork_sessions'));

describe('createUser', () => {
  test('makes one that is active and nothing more, and has no password in it', async () => {
    const user = await make({ username: 'Ada', password: 'secret' });
    expect(user).toMatchObject({
      username: 'Ada',
      isAuthenticated: true,
      isActive: true,
      isStaff: false,
      isSuperuser: false,
    });
    expect([user.lastLogin, user.dateJoined]).toEqual([undefined, expect.any(Date)]);
    expect(JSON.stringify(user)).not.toMatch(/scrypt|password|hash/);
    expect(await make({ username: 'Root', isStaff: true, isSuperuser: true, isActive: false })).toMatchObject({
      isStaff: true,
      isSuperuser: true,
      isActive: false,
    });
  });

  test('has one user for a name in whatever case, by however many at once', async () => {
    const names = ['ada', 'Ada', 'ADA', 'aDa', 'ada', 'adA', 'ＡＤＡ']; // the last one is fullwidth: NFKC
    const made = await Promise.allSettled(names.map((username) => make({ username })));
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const reasons = made.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []));
    for (const reason of reasons) {
      expect(reason).toMatchObject({ name: 'IntegrityError', constraint: 'postfork_users_username' });
    }
    expect(await postgres.admin('SELECT FROM postfork_users')).toHaveLength(1);
  });

  test.each(['', ' ada', 'ada ', 'a\0b', 'a\nb', 'a\u2028b', 'ada\u200b', '\u202eada', 'ada\u3164', 'x'.repeat(151)])(
    '%j is no name',
    async (username) => {
      await expect(make({ username })).rejects.toThrow(RangeError);
      expect(await check(username, 'secret')).toBeUndefined();
    },
  );
});

describe('authenticate', () => {
  test('knows a user by a name in whatever case, and the password', async () => {
    await make({ username: 'Ada', password: 'secret' });
    expect(await check('aDA', 'secret')).toMatchObject({ username: 'Ada' });
    expect(await check('Ada', 'Secret')).toBeUndefined();
  });

  test('computes one hash whoever it is', async () => {
    await make({ username: 'ada', password: 'secret' });
    await make({ username: 'inactive', password: 'secret', isActive: false });
    await make({ username: 'none' });
    for (const [name, password] of [
      ['ada', 'wrong'],
      ['nobody', 'x'],
      ['inactive', 'secret'],
      ['none', '!'],
      ['', 'x'],
    ] as const) {
      // prettier-ignore
      const hashes = await hashesOf(async () => expect(await check(name, password)).toBeUndefined());
      expect([name, hashes]).toEqual([name, 1]);
    }
  });

  test('is refused to the 131st at once, who would only wait: for a connection, then for a hash', async () => {
    await make({ username: 'ada', password: 'secret' });
    await postgres.admin('BEGIN; LOCK postfork_users');
    const asked = Array.from({ length: 131 }, () => check('ada', '')); // '' is no password: no hash is computed
    const last = (asked.pop() as Promise<unknown>).catch((error: unknown) => error);
    const seen = await Promise.race([last, new Promise((resolve) => setTimeout(resolve, 2000, 'it waits'))]);
    await postgres.admin('COMMIT');
    expect(seen).toMatchObject({ status: 503 });
    expect(await Promise.all(asked)).toEqual(Array(130).fill(undefined));
    expect(await check('ada', 'secret')).toBeDefined();
  });

  test('has no connection while the password is checked', async () => {
    await make({ username: 'ada', password: 'secret' });
    const said: string[] = [];
    const onAcquire = (): void => void said.push('acquired');
    const onRelease = (): void => void said.push('released');
    connection_acquired.connect(onAcquire);
    connection_released.connect(onRelease);
    await connections.scope(async () => {
      await authenticate('ada', 'secret');
      said.push('checked');
    });
    connection_acquired.disconnect(onAcquire);
    connection_released.disconnect(onRelease);
    expect(said).toEqual(['acquired', 'released', 'checked']);
  });

  test('replaces a hash of another cost; sessions go on', async () => {
    await make({ username: 'ada' });
    await postgres.admin('UPDATE postfork_users SET password = $1', [CHEAP]);
    const app = site();
    const before = new Visitor(app);
    const [old] = await postgres.admin<{ password: string }>('SELECT password FROM postfork_users');
    expect(old?.password).toContain('ln=4');
    // Logged in with the old hash, as by an earlier version.
    app.get('/enter', async (request) => {
      const { rows } = await db.query<{ password: string }>('SELECT password FROM postfork_users');
      const user = await authenticate('ada', 'secret');
      await login(request, user as User);
      return String(rows.length);
    });
    await before.get('/enter');
    await postgres.admin('UPDATE postfork_users SET password = $1', [CHEAP]);
    await postgres.admin("UPDATE postfork_sessions SET user_hash = sha256(convert_to($1, 'UTF8'))", [CHEAP]);
    expect(await who(before)).toBe('ada');
    // A request that has read its session before the change and saves it behind it.
    const [read, replaced] = [new Latch(), new Latch()];
    app.get('/slow', async (request) => {
      const session = await request.session;
      read.open();
      await replaced.opened;
      return String(session.set('note', 'late').get('note'));
    });
    const slow = before.get('/slow');
    await read.opened;
    await new Visitor(app).get('/login?name=ada');
    replaced.open();
    expect((await slow).status).toBe(200);
    const [fresh] = await postgres.admin<{ password: string }>('SELECT password FROM postfork_users');
    expect(fresh?.password).toContain('ln=14,r=8,p=5');
    expect(await who(before)).toBe('ada');
    expect(await check('ada', 'secret')).toBeDefined();
  });

  test('replaces a hash once: of several logins at once all have the one that stays', async () => {
    await make({ username: 'ada' });
    await postgres.admin('UPDATE postfork_users SET password = $1', [CHEAP]);
    const app = site();
    const clients = [new Visitor(app), new Visitor(app), new Visitor(app)];
    await Promise.all(clients.map((client) => client.get('/login?name=ada')));
    expect(await Promise.all(clients.map(who))).toEqual(['ada', 'ada', 'ada']);
  });
});

describe('request.user', () => {
  test('is nobody, without a query, where there is no session', async () => {
    const client = new Visitor(site());
    const asked = await statements(async () => {
      expect((await client.get('/who')).json()).toEqual({
        isAuthenticated: false,
        username: '',
        isActive: false,
        isStaff: false,
        isSuperuser: false,
        again: true,
      });
    });
    expect(asked).toEqual([]);
  });

  test('comes with the session by one query, and by none where nobody asks', async () => {
    await make({ username: 'ada', password: 'secret' });
    const client = new Visitor(site());
    expect((await client.get('/login?name=ada')).text()).toBe('ada is in');
    expect(await statements(() => client.get('/other'))).toEqual([]);
    const asked = await statements(async () => {
      expect((await client.get('/who')).json()).toMatchObject({ username: 'ada', isAuthenticated: true, again: true });
    });
    expect(asked).toEqual([FIND]);
  });

  test('needs sessions()', async () => {
    const response = await new Application().use(authentication()).inject('/');
    expect(response.stderr).toContain('authentication() needs the middleware sessions() around it');
  });

  test.each([
    ['inactive', 'UPDATE postfork_users SET is_active = false'],
    ['deleted', 'DELETE FROM postfork_users'],
    ['given another password', "UPDATE postfork_users SET password = 'other'"],
  ])('is nobody once the user is %s, and has nothing of the session', async (_what, sql) => {
    await make({ username: 'ada', password: 'secret' });
    const client = new Visitor(site());
    await client.get('/login?name=ada&note=private');
    expect((await client.get('/note')).text()).toBe('private');
    await postgres.admin(sql);
    expect(await who(client)).toBe('');
    expect((await client.get('/note')).text()).toBe('undefined');
  });
});

describe('login', () => {
  test('gives the session a new token: one that was planted opens nothing', async () => {
    await make({ username: 'ada', password: 'secret' });
    const app = site();
    const [attacker, victim] = [new Visitor(app), new Visitor(app)];
    await attacker.get('/note?is=planted');
    const planted = attacker.token as string;
    victim.cookies.set('sessionid', planted);
    await victim.get('/login?name=ada');
    expect(victim.token).not.toBe(planted);
    expect(await who(victim)).toBe('ada');
    expect((await victim.get('/note')).text()).toBe('planted'); // a cart filled before the login is kept
    expect(await who(attacker)).toBe('');
    expect((await attacker.get('/note')).text()).toBe('undefined');
  });

  test('keeps nothing of another user', async () => {
    await make({ username: 'ada', password: 'secret' });
    await make({ username: 'bob', password: 'secret' });
    const client = new Visitor(site());
    await client.get('/login?name=ada&note=of ada');
    await client.get('/login?name=ada');
    expect((await client.get('/note')).text()).toBe('of ada');
    await client.get('/login?name=bob');
    expect(await who(client)).toBe('bob');
    expect((await client.get('/note')).text()).toBe('undefined');
  });

  test('is none the worse for another one with the same session: the second click on the button', async () => {
    await make({ username: 'ada', password: 'secret' });
    const [read, saved] = [new Latch(), new Latch()];
    const app = site().get('/slow', async (request) => {
      await request.user;
      read.open();
      await saved.opened;
      await login(request, (await authenticate('ada', 'secret')) as User);
      return 'in';
    });
    const client = new Visitor(app);
    await client.get('/note?is=in the cart');
    const slow = client.get('/slow');
    await read.opened;
    await client.get('/login?name=ada');
    const first = client.token;
    saved.open();
    expect((await slow).text()).toBe('in');
    expect(client.token).not.toBe(first);
    expect([await who(client), (await client.get('/note')).text()]).toEqual(['ada', 'in the cart']);
  });

  test('is noted', async () => {
    await make({ username: 'ada', password: 'secret' });
    await new Visitor(site()).get('/login?name=ada');
    expect((await check('ada', 'secret'))?.lastLogin).toBeInstanceOf(Date);
  });
});

test('logout ends the session at once, on the server too', async () => {
  await make({ username: 'ada', password: 'secret' });
  const client = new Visitor(site());
  await client.get('/login?name=ada');
  const token = client.token as string;
  expect((await client.get('/logout')).text()).toBe('false');
  expect(client.token).toBeUndefined();
  client.cookies.set('sessionid', token);
  expect(await who(client)).toBe('');
});

test('setPassword ends all sessions; login with what it gives keeps the present one', async () => {
  await make({ username: 'ada', password: 'secret' });
  const app = site();
  const [here, elsewhere] = [new Visitor(app), new Visitor(app)];
  await here.get('/login?name=ada');
  await elsewhere.get('/login?name=ada');
  expect((await here.get('/change')).text()).toBe('changed');
  expect([await who(here), await who(elsewhere)]).toEqual(['ada', '']);
  const gone = await make({ username: 'gone' });
  await postgres.admin("DELETE FROM postfork_users WHERE username = 'gone'");
  await expect(connections.scope(() => setPassword({ id: gone.id }, 'x'))).rejects.toThrow('there is no user');
});

describe('requireUser and requireStaff', () => {
  const guarded = (app: Application): Visitor => new Visitor(app.get('/', () => 'in').post('/', () => 'in'));

  test('send who is nobody to the login page, with the way back; the page itself is let through', async () => {
    const app = site().use(requireUser({ loginUrl: '/login' }));
    const client = guarded(app);
    const response = await client.get('/?page=2&q=a%20b');
    expect([response.status, response.header('Location')]).toEqual([302, '/login?next=%2F%3Fpage%3D2%26q%3Da%2520b']);
    expect([response.header('Vary'), response.header('Cache-Control')]).toEqual(['Cookie', 'private, no-cache']);
    await make({ username: 'ada', password: 'secret' });
    expect((await client.get('/login?name=ada')).text()).toBe('ada is in');
    expect((await client.get('/')).text()).toBe('in');
  });

  test('never send back to another site', async () => {
    const client = guarded(site().use(requireUser({ loginUrl: '/login?from=here' })));
    expect((await client.get('//evil.example/')).header('Location')).toBe('/login?from=here');
    expect((await client.get('/x')).header('Location')).toBe('/login?from=here&next=%2Fx');
  });

  test('answer 401 to what is no GET, and where there is no login page', async () => {
    const client = guarded(site().use(requireUser({ loginUrl: '/login' })));
    const response = await client.ask('POST', '/');
    expect([response.status, response.header('WWW-Authenticate')]).toEqual([401, 'Cookie']);
    expect((await client.ask('HEAD', '/')).status).toBe(302);
    expect((await guarded(site().use(requireStaff())).get('/')).status).toBe(401);
  });

  test('requireStaff lets staff in, and answers 403 to other users', async () => {
    await make({ username: 'ada', password: 'secret' });
    await make({ username: 'chief', password: 'secret', isStaff: true });
    const client = guarded(site().use(requireStaff({ loginUrl: '/login' })));
    await client.get('/login?name=ada');
    expect((await client.get('/')).status).toBe(403);
    await client.get('/login?name=chief');
    const asked = await statements(async () => expect((await client.ask('POST', '/')).text()).toBe('in'));
    expect(asked).toEqual([FIND]);
  });

  test('need authentication(), and a login page of this site', async () => {
    const response = await new Application().use(requireUser()).inject('/');
    expect(response.stderr).toContain('requireUser needs the middleware authentication() around it');
    expect(() => requireStaff({ loginUrl: 'https://evil.example/' })).toThrow('is no path of this site');
  });
});
