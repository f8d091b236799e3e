// eventStream(): server-sent events (WHATWG HTML, 9.2).

import { EventEmitter, once } from 'node:events';
import * as fc from 'fast-check';

import { Client, type ClientResponse } from '../../../lib/client/index.ts';
import {
  Application,
  eventStream,
  type EventSender,
  type EventStreamOptions,
  type InjectedResponse,
  type ServerSentEvent,
} from '../../../lib/app/index.ts';
import { serve } from '../../../lib/serve.ts';
import { got_request_exception } from '../../../lib/signals/index.ts';
import { temporaryFolder } from '../../support/temporary.ts';

function inject(
  source: EventSender | AsyncIterable<ServerSentEvent | string>,
  options: EventStreamOptions = {},
  headers: Record<string, string> = {},
): Promise<InjectedResponse> {
  return new Application()
    .get('/', (request) => eventStream(request, source, options))
    .inject({ target: '/', headers });
}

/** What a browser makes of a stream: the steps of the specification's 9.2.6. */
function parsed(text: string): { event: string; data: string; id: string }[] {
  const events: { event: string; data: string; id: string }[] = [];
  let [event, data, id] = ['', '', ''];
  for (const line of text.split(/\r\n|\r|\n/)) {
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (line === '') {
      if (data !== '') events.push({ event: event || 'message', data: data.slice(0, -1), id });
      [event, data] = ['', ''];
    } else if (field === 'event') event = value;
    else if (field === 'data') data += `${value}\n`;
    else if (field === 'id' && !value.includes('\0')) id = value;
  }
  return events;
}

describe('an event', () => {
  test.each<[ServerSentEvent | string, string]>([
    ['text', 'data: text\n\n'],
    ['', 'data: \n\n'],
    [{ data: 'text' }, 'data: text\n\n'],
    [{ data: 'one\ntwo\r\nthree\rfour' }, 'data: one\ndata: two\ndata: three\ndata: four\n\n'],
    [{ data: { a: 'ü\n' } }, 'data: {"a":"ü\\n"}\n\n'],
    [{ data: null }, 'data: null\n\n'],
    [{ event: 'news', id: '7', retry: 1500, data: 1 }, 'event: news\nid: 7\nretry: 1500\ndata: 1\n\n'],
    [{ id: '' }, 'id: \n\n'],
  ])('%j', async (event, text) => {
    const response = await inject((events) => events.send(event));
    expect(response.text()).toBe(text);
  });

  test.each<ServerSentEvent>([
    { event: 'a\nb' },
    { event: 'a\r' },
    { id: '1\n\ndata: forged' },
    { id: '1\0' },
    { retry: -1 },
    { retry: 1.5 },
    { data: () => {} },
  ])('%j is none', async (event) => {
    let thrown: unknown;
    await inject((events) => {
      try {
        void events.send(event);
      } catch (error) {
        thrown = error;
      }
    });
    expect(thrown).toBeInstanceOf(TypeError);
  });

  test('of any text reaches the browser as that text, and no other event with it', async () => {
    const line = fc.string({ unit: 'binary' }).map((text) => Buffer.from(text).toString());
    await fc.assert(
      fc.asyncProperty(fc.record({ event: line, id: line, data: line }), async (event) => {
        fc.pre(!/[\0\r\n]/.test(event.event + event.id)); // eslint-disable-line no-control-regex
        const response = await inject((events) => events.send(event));
        const data = event.data.replaceAll(/\r\n|\r/g, '\n');
        expect(parsed(response.text())).toEqual([{ event: event.event || 'message', id: event.id, data }]);
      }),
      { numRuns: 100 },
    );
  });
});

describe('a stream', () => {
  test('has the header fields that let it through', async () => {
    const response = await inject((events) => events.send('x'), { headers: { 'X-Own': '1' } });
    expect(Object.fromEntries(response.headers)).toEqual({
      'X-Own': '1',
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
    });
  });

  test('ends when the function returns, with everything sent before', async () => {
    const response = await inject((events) => {
      for (let i = 0; i < 5; i++) void events.send(String(i));
    });
    expect(parsed(response.text()).map(({ data }) => data)).toEqual(['0', '1', '2', '3', '4']);
    expect(response.cut).toBe(false);
  });

  test('comes from an async iterable too', async () => {
    const source = (async function* () {
      yield 'one';
      yield { id: '2', data: 'two' };
    })();
    expect((await inject(source)).text()).toBe('data: one\n\nid: 2\ndata: two\n\n');
  });

  test('breaks off when its source fails, and the failure is told', async () => {
    const told: unknown[] = [];
    const receiver = ({ error }: { error: unknown }): unknown => told.push(error);
    got_request_exception.connect(receiver);
    try {
      const response = await inject(async (events) => {
        await events.send('one');
        throw new Error('no more');
      });
      expect([response.text(), response.cut]).toEqual(['data: one\n\n', true]);
      expect(told).toEqual([new Error('no more')]);
    } finally {
      got_request_exception.disconnect(receiver);
    }
  });

  test('gives the id that the client got last, as it was sent', async () => {
    const last = Buffer.from('nr. ü').toString('latin1');
    const response = await inject((events) => events.send(events.lastEventId), {}, { 'Last-Event-ID': last });
    expect(response.text()).toBe('data: nr. ü\n\n');
    expect((await inject((events) => events.send(`<${events.lastEventId}>`))).text()).toBe('data: <>\n\n');
  });

  test('is not begun for HEAD', async () => {
    let begun = false;
    const app = new Application().get('/', (request) => eventStream(request, () => (begun = true)));
    const response = await app.inject({ method: 'HEAD' });
    expect([response.header('Content-Type'), begun]).toEqual(['text/event-stream', false]);
  });

  test.each([0, -1, NaN, Infinity])('has no keepAlive of %p', async (keepAlive) => {
    const response = await inject(() => {}, { keepAlive });
    expect([response.status, response.stderr]).toEqual([500, expect.stringContaining('keepAlive')]);
  });
});

describe('behind a socket', () => {
  const folder = temporaryFolder();
  let sockets = 0;

  async function serving(
    source: EventSender | AsyncIterable<ServerSentEvent | string>,
    options: EventStreamOptions,
    run: (response: ClientResponse) => Promise<void>,
  ): Promise<void> {
    const at = `unix:${folder.join(`${(sockets += 1)}.sock`)}`;
    const app = new Application().get('/', (request) => eventStream(request, source, options));
    const served = await serve(app, { listen: at });
    const client = new Client({ address: at });
    try {
      await run(await client.request({ params: { REQUEST_METHOD: 'GET', REQUEST_URI: '/' } }));
    } finally {
      client.destroy();
      await served.close({ timeout: 0 });
    }
    expect(app.active).toBe(0);
  }

  test('an event arrives while the stream goes on', async () => {
    const bus = new EventEmitter();
    const source: EventSender = async (events) => {
      bus.on('news', (text: string) => void events.send(text));
      bus.emit('listening');
      await events.closed;
    };
    const listening = once(bus, 'listening');
    await serving(source, {}, async (response) => {
      await listening;
      const pieces = response.body[Symbol.asyncIterator]();
      for (const text of ['first', 'second']) {
        bus.emit('news', text);
        expect(String((await pieces.next()).value)).toBe(`data: ${text}\n\n`);
      }
    });
  });

  test('in silence comments are sent', async () => {
    await serving(
      (events) => events.closed,
      { keepAlive: 0.01 },
      async (response) => {
        let text = '';
        for await (const piece of response.body) {
          text += String(piece);
          if (text.length >= 9) break;
        }
        expect(text).toMatch(/^(?::\n\n){3}/);
      },
    );
  });

  test('when the client leaves, the function is told and an awaited send rejects', async () => {
    const over = new EventEmitter();
    const told = once(over, 'over');
    const source: EventSender = async (events) => {
      await events.send('one');
      await events.closed;
      const late = await events.send('two').catch((error: Error) => error.message);
      void events.send('nobody waits for this one');
      over.emit('over', late);
    };
    await serving(source, {}, async (response) => {
      for await (const _piece of response.body) break; // which aborts the request
      expect(await told).toEqual(['the event stream is over']);
    });
  });

  test('when the client leaves, an iterable is returned though it is silent', async () => {
    const over = new EventEmitter();
    const told = once(over, 'over');
    const silent: AsyncIterableIterator<string> = {
      [Symbol.asyncIterator]: () => silent,
      next: () => new Promise(() => {}),
      return: () => {
        over.emit('over');
        return Promise.resolve({ done: true, value: undefined });
      },
    };
    await serving(silent, { keepAlive: 0.01 }, async (response) => {
      for await (const _piece of response.body) break;
      expect(await told).toEqual([]);
    });
  });

  test('a source that waits for its sends is as fast as the client', async () => {
    const data = 'x'.repeat(10_000);
    let sent = 0;
    const source: EventSender = async (events) => {
      for (; sent < 1000; sent++) await events.send(data);
    };
    await serving(source, { maxBuffered: 20_000 }, async (response) => {
      let received = 0;
      for await (const piece of response.body) {
        received += (piece as Buffer).length;
        expect(sent * data.length).toBeLessThan(received + 3_000_000); // what sockets and windows hold
      }
      expect(received).toBe(1000 * 'data: \n\n'.length + 1000 * data.length);
    });
  });

  test('a source that does not wait is broken off once too much waits', async () => {
    const over = new EventEmitter();
    const told = once(over, 'over');
    const source: EventSender = async (events) => {
      await events.send('begin');
      for (let i = 0; i < 30; i++) void events.send('x'.repeat(10_000));
      await events.closed;
      over.emit('over');
    };
    await serving(source, { maxBuffered: 100_000 }, async (response) => {
      await told;
      await expect(response.text()).rejects.toMatchObject({ name: 'ClientError' });
    });
  });
});
