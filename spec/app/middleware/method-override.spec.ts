// methodOverride(): PUT, PATCH and DELETE for HTML forms.

import { Application, methodOverride, type InjectedRequest, type Middleware } from '../../../lib/app/index.ts';

async function ask(asked: InjectedRequest, ...layers: Middleware[]): Promise<[number, string]> {
  const app = new Application();
  for (const layer of layers) app.use(layer);
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
    app.route(method, '/', (request) => `${method} ${request.method}`);
  }
  const response = await app.inject(asked);
  return [response.status, response.text().trim()];
}

const by = (value: string): InjectedRequest => ({ method: 'POST', headers: { 'X-HTTP-Method-Override': value } });

test.each(['PUT', 'PATCH', 'DELETE'])('a POST may stand for %s', async (method) => {
  expect(await ask(by(method), methodOverride())).toEqual([200, `${method} ${method}`]);
  expect(await ask(by(method.toLowerCase()), methodOverride())).toEqual([200, `${method} ${method}`]);
  const target = `/?a=b&_method=${method}`;
  expect(await ask({ method: 'POST', target }, methodOverride())).toEqual([200, `${method} ${method}`]);
});

test.each(['GET', 'HEAD', 'CONNECT', 'TRACE', 'OPTIONS', 'x', '', 'PUT\r\n', '__proto__'])(
  'a POST may not stand for %j',
  async (method) => {
    expect(await ask(by(method), methodOverride())).toEqual([400, '400 a POST may stand for PUT, PATCH or DELETE']);
  },
);

test('a POST without it, or for itself, is a POST', async () => {
  expect(await ask({ method: 'POST' }, methodOverride())).toEqual([200, 'POST POST']);
  expect(await ask(by('post'), methodOverride())).toEqual([200, 'POST POST']);
});

test.each(['GET', 'PUT', 'DELETE'])('%s stays what it is', async (method) => {
  const asked = { method, target: '/?_method=PATCH', headers: { 'X-HTTP-Method-Override': 'PATCH' } };
  expect(await ask(asked, methodOverride())).toEqual([200, `${method} ${method}`]);
});

test('it is off where it is not used', async () => {
  expect(await ask(by('DELETE'))).toEqual([200, 'POST POST']);
  expect(await ask({ method: 'POST', target: '/?_method=DELETE' })).toEqual([200, 'POST POST']);
});
