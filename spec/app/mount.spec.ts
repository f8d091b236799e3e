// Where an application is mounted, and applications within applications.

import { Application, HttpError, type HttpRequest, type Middleware } from '../../lib/app/index.ts';
import { got_request_exception, request_finished, request_started } from '../../lib/signals/index.ts';

const where = (request: HttpRequest): object => ({ path: request.path, mount: request.mount, target: request.target });

/** Notes where a layer sees the request, before and after. */
function tracer(notes: string[], name: string): Middleware {
  return async (request, next) => {
    notes.push(`${name} in ${request.mount}|${request.path}`);
    const response = await next(request);
    notes.push(`${name} out ${request.mount}|${request.path}`);
    return response;
  };
}

describe('an application mounted at a path', () => {
  const application = new Application({ mount: '/app' }).get('/', where).get('/x', where).get('/app/x', where);

  test.each<[target: string, expected: object]>([
    ['/app', { path: '/', mount: '/app', target: '/app' }],
    ['/app/', { path: '/', mount: '/app', target: '/app/' }],
    ['/app?q', { path: '/', mount: '/app', target: '/app?q' }],
    ['/app/x?q', { path: '/x', mount: '/app', target: '/app/x?q' }],
    ['/app/app/x', { path: '/app/x', mount: '/app', target: '/app/app/x' }],
    ['/%61pp/x', { path: '/x', mount: '/app', target: '/%61pp/x' }],
    ['http://other.example/app/x', { path: '/x', mount: '/app', target: '/app/x' }],
  ])('answers %s', async (target, expected) => {
    expect((await application.inject(target)).json()).toEqual(expected);
  });

  test.each(['/', '/x', '/apple', '/ap', '/App/x', '/app%2Fx', '//app/x', '/x/app/x'])(
    'is not asked for what lies outside: %s',
    async (target) => {
      expect((await application.inject(target)).status).toBe(404);
    },
  );

  test('has its layers run for what lies outside too, where they see the whole path', async () => {
    const notes: string[] = [];
    const outside = new Application({ mount: '/app' }).use(tracer(notes, 'layer')).get('/x', where);
    expect((await outside.inject('/x')).status).toBe(404);
    expect(notes).toEqual(['layer in /app|/x', 'layer out /app|/x']);
  });

  test('does not give what lies outside to its sub-applications', async () => {
    const outside = new Application({ mount: '/app' }).mount('/admin', new Application().get('/', where));
    expect((await outside.inject('/admin')).status).toBe(404);
    expect((await outside.inject('/app/admin')).json()).toEqual({
      path: '/',
      mount: '/app/admin',
      target: '/app/admin',
    });
  });

  test('can be told where later', async () => {
    const later = new Application().get('/x', where).mountAt('/late/');
    expect((await later.inject('/late/x')).json()).toEqual({ path: '/x', mount: '/late', target: '/late/x' });
    expect((await later.inject('/x')).status).toBe(404);
  });

  test.each(['/app/', '/app//', '/app'])('may be given with slashes at its end: %s', async (mount) => {
    expect((await new Application({ mount }).get('/x', where).inject('/app/x')).status).toBe(200);
  });

  test.each(['', '/', '//'])('is at the root for %p', async (mount) => {
    expect((await new Application({ mount }).get('/x', where).inject('/x')).status).toBe(200);
  });

  test.each(['app', '/app?x', '/a b', '/a#b', 'http://x/app'])('refuses %p', (mount) => {
    expect(() => new Application({ mount })).toThrow(TypeError);
    expect(() => new Application().mountAt(mount)).toThrow(TypeError);
  });
});

describe('a sub-application', () => {
  test('is asked for everything below its path, by its own paths', async () => {
    const sub = new Application().get('/', where).get('/x', where);
    const application = new Application().mount('/sub', sub).get('/sub/x', () => 'not asked');
    const answers = await Promise.all(
      ['/sub', '/sub/', '/sub/x', '/%73ub/x'].map(async (target) => (await application.inject(target)).json()),
    );
    expect(answers).toEqual([
      { path: '/', mount: '/sub', target: '/sub' },
      { path: '/', mount: '/sub', target: '/sub/' },
      { path: '/x', mount: '/sub', target: '/sub/x' },
      { path: '/x', mount: '/sub', target: '/%73ub/x' },
    ]);
  });

  test('is not asked for paths that only begin alike', async () => {
    const application = new Application().mount('/sub', new Application().get('*', where)).get('/subs', () => 'mine');
    expect((await application.inject('/subs')).text()).toBe('mine');
  });

  test('answers 404 and 405 for its paths', async () => {
    const sub = new Application().get('/x', where);
    const application = new Application().mount('/sub', sub).fallback(() => 'not asked');
    expect((await application.inject('/sub/y')).status).toBe(404);
    expect((await application.inject({ method: 'POST', target: '/sub/x' })).status).toBe(405);
  });

  test('with the longest path wins, in any order', async () => {
    const named = (name: string): Application => new Application().get('*', () => name);
    const mounts: [string, Application][] = [
      ['/a', named('a')],
      ['/a/b', named('a b')],
      ['/a/b/c', named('a b c')],
    ];
    for (const order of [mounts, mounts.toReversed()]) {
      const application = new Application();
      for (const [path, sub] of order) application.mount(path, sub);
      const answers = await Promise.all(
        ['/a/x', '/a/b', '/a/b/c/d', '/a/bc'].map(async (target) => (await application.inject(target)).text()),
      );
      expect(answers).toEqual(['a', 'a b', 'a b c', 'a']);
    }
  });

  test('runs its layers inside, and leaves the request as it was', async () => {
    const notes: string[] = [];
    const inner = new Application().use(tracer(notes, 'inner')).get('/x', where);
    const middle = new Application().use(tracer(notes, 'middle')).mount('/inner', inner);
    const outer = new Application({ mount: '/app' }).use(tracer(notes, 'outer')).mount('/middle', middle);
    expect((await outer.inject('/app/middle/inner/x')).json()).toEqual({
      path: '/x',
      mount: '/app/middle/inner',
      target: '/app/middle/inner/x',
    });
    expect(notes).toEqual([
      'outer in /app|/middle/inner/x',
      'middle in /app/middle|/inner/x',
      'inner in /app/middle/inner|/x',
      'inner out /app/middle/inner|/x',
      'middle out /app/middle|/inner/x',
      'outer out /app|/middle/inner/x',
    ]);
  });

  test.each([
    ['an HttpError', () => Promise.reject(new HttpError(418))],
    ['an error', () => Promise.reject(new Error('boom'))],
    ['nothing returned', () => undefined as unknown as string],
  ])('leaves the request as it was after %s', async (_what, handler) => {
    const notes: string[] = [];
    const application = new Application().use(tracer(notes, 'outer'));
    application.mount('/sub', new Application().use(tracer(notes, 'sub')).get('/x', handler));
    expect((await application.inject('/sub/x')).status).toBeGreaterThanOrEqual(400);
    expect(notes).toEqual(['outer in |/sub/x', 'sub in /sub|/x', 'sub out /sub|/x', 'outer out |/sub/x']);
  });

  test('may be mounted at several paths', async () => {
    const sub = new Application().get('/x', where);
    const application = new Application().mount('/a', sub).mount('/b', sub);
    expect((await application.inject('/a/x')).json()).toMatchObject({ mount: '/a' });
    expect((await application.inject('/b/x')).json()).toMatchObject({ mount: '/b' });
  });

  test('has the signals of the application that was asked', async () => {
    const sub = new Application().get('/', () => Promise.reject(new Error('boom')));
    const application = new Application().mount('/sub', sub);
    const heard: [string, unknown][] = [];
    const signals = [request_started, got_request_exception, request_finished] as const;
    const undo = signals.map((signal) => {
      const hear = ({ sender }: { sender: unknown }): unknown => heard.push([signal.name, sender]);
      signal.connect(hear);
      return () => signal.disconnect(hear);
    });
    await application.inject('/sub');
    for (const disconnect of undo) disconnect();
    expect(heard.map(([name, sender]) => [name, sender === application])).toEqual([
      ['request_started', true],
      ['got_request_exception', true],
      ['request_finished', true],
    ]);
  });

  test.each(['', '/', 'sub', '/s ub', '/sub?'])('cannot be mounted at %p', (path) => {
    expect(() => new Application().mount(path, new Application())).toThrow(TypeError);
  });
});
