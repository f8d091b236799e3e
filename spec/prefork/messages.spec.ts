// Messages of workers and of the zygote, which run the application's code: nothing that they send is believed.

import fc from 'fast-check';
import { parseWorkerMessage, parseZygoteMessage } from '../../lib/prefork/messages.ts';

const NONE = ['-1', '1.5', '1e308', '-1e308', '1e400', '9007199254740992', '"7"', 'null', 'true', '[]', '[7]', '{}'];
const DEEP = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
const HOSTILE = [
  '',
  ' ',
  'null',
  'true',
  '0',
  '"ready"',
  '[]',
  '["ready"]',
  '{}',
  '{',
  '{"type":"ready"',
  '{"type":"ready"}}',
  "{'type':'ready'}",
  '{"type":null}',
  '{"type":["ready"]}',
  '{"type":{"ready":1}}',
  '{"type":"READY"}',
  '{"type":"__proto__"}',
  '{"type":"constructor"}',
  '{"type":"toString"}',
  '{"__proto__":{"type":"ready"}}',
  '{"type":"drain","timeout":0}',
  '{"type":"start","settings":{}}',
  '{"type":"fork","id":1}',
  '\0',
  '\u{feff}{"type":"ready"}',
  DEEP,
];

describe.each([
  ['a worker', parseWorkerMessage],
  ['the zygote', parseZygoteMessage],
])('a line of %s', (_, parse) => {
  test.each(HOSTILE.map((line) => [line.slice(0, 50), line]))('that is no message is none: %j', (_name, line) => {
    expect(parse(line)).toBeUndefined();
  });

  test('never throws, and never gives more than its own fields', () => {
    const known = ['type', 'message', 'load', 'id', 'pid', 'code', 'signal', 'leaving'];
    const types = fc.constantFrom('ready', 'failed', 'load', 'worn', 'leaving', 'forked', 'refused', 'exited');
    const fields = fc.dictionary(fc.constantFrom(...known, '__proto__', 'constructor', 'x'), fc.jsonValue());
    const messages = fc.tuple(types, fields).map(([type, rest]) => JSON.stringify({ ...rest, type }));
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), messages), (line) => {
        const message = parse(line);
        if (message === undefined) return;
        expect(known).toEqual(expect.arrayContaining(Object.keys(message)));
        expect(Object.getPrototypeOf(message)).toBe(Object.prototype);
      }),
    );
  });

  test('says why it failed, or that it did not say', () => {
    expect(parse('{"type":"failed","message":"no\\nmodule"}')).toEqual({ type: 'failed', message: 'no\nmodule' });
    for (const message of ['', ',"message":null', ',"message":7', ',"message":{"toString":1}', ',"message":["x"]']) {
      expect(parse(`{"type":"failed"${message}}`)).toEqual({ type: 'failed', message: 'it did not say why' });
    }
  });

  test('is worn and leaves only where it says just that', () => {
    if (parse !== parseWorkerMessage) return;
    const said = [undefined, null, 1, 'true', false, true];
    const understood = said.map((leaving) => parse(JSON.stringify({ type: 'worn', leaving })));
    expect(understood).toEqual(said.map((leaving) => ({ type: 'worn', leaving: leaving === true })));
  });

  test('is ready, whatever else it says', () => {
    expect(parse('{"type":"ready","x":1,"__proto__":{"y":2}}')).toEqual({ type: 'ready' });
  });

  test('is of its own kind', () => {
    for (const type of ['worn', 'leaving', 'load', 'forked', 'refused', 'exited']) {
      const ofWorker = ['worn', 'leaving', 'load'].includes(type);
      const understood = parse(JSON.stringify({ type, load: {} })) !== undefined;
      expect({ type, understood }).toEqual({ type, understood: ofWorker === (parse === parseWorkerMessage) });
    }
  });
});

describe("a worker's load", () => {
  const none = { active: 0, connections: 0, served: 0, rss: 0 };

  test('is its numbers', () => {
    const load = { active: 1, connections: 2, served: Number.MAX_SAFE_INTEGER, rss: 4 };
    expect(parseWorkerMessage(JSON.stringify({ type: 'load', load: { ...load, more: 5 } }))).toEqual({
      type: 'load',
      load,
    });
  });

  test.each(NONE)('is 0 where it says %s', (number) => {
    const load = `{"active":${number},"connections":${number},"served":${number},"rss":${number}}`;
    expect(parseWorkerMessage(`{"type":"load","load":${load}}`)).toEqual({ type: 'load', load: none });
  });

  test('is 0 where it says nothing, or says it of a prototype', () => {
    for (const load of ['{}', '[]', '{"__proto__":{"active":5}}']) {
      expect(parseWorkerMessage(`{"type":"load","load":${load}}`)).toEqual({ type: 'load', load: none });
    }
    expect(({} as { active?: unknown }).active).toBeUndefined();
  });

  test.each(['null', '7', '"x"', 'true'])('is no message where it is %s', (load) => {
    expect(parseWorkerMessage(`{"type":"load","load":${load}}`)).toBeUndefined();
    expect(parseWorkerMessage('{"type":"load"}')).toBeUndefined();
  });
});

describe('of the zygote', () => {
  test('forked, refused and exited are what they say', () => {
    expect(parseZygoteMessage('{"type":"forked","id":3,"pid":44,"x":1}')).toEqual({ type: 'forked', id: 3, pid: 44 });
    expect(parseZygoteMessage('{"type":"refused","id":3,"message":"no"}')).toEqual({
      type: 'refused',
      id: 3,
      message: 'no',
    });
    expect(parseZygoteMessage('{"type":"exited","pid":44,"code":0,"signal":null}')).toEqual({
      type: 'exited',
      pid: 44,
      code: 0,
      signal: null,
    });
    expect(parseZygoteMessage('{"type":"exited","pid":44,"code":null,"signal":"SIGKILL"}')).toEqual({
      type: 'exited',
      pid: 44,
      code: null,
      signal: 'SIGKILL',
    });
  });

  test.each(NONE)('a number that is none is nobody: %s', (number) => {
    expect(parseZygoteMessage(`{"type":"forked","id":${number},"pid":${number}}`)).toEqual({
      type: 'forked',
      id: 0,
      pid: 0,
    });
    expect(parseZygoteMessage(`{"type":"exited","pid":${number},"code":"0","signal":9}`)).toEqual({
      type: 'exited',
      pid: 0,
      code: null,
      signal: null,
    });
  });
});
