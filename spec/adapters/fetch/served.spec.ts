// Web-standard handlers behind a server, asked by a client: bodies both ways, and what happens when somebody leaves.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Application } from '../../../lib/app/index.ts';
import { fromFetch, type FetchHandler } from '../../../lib/adapters/fetch/index.ts';
import { Client, type ClientRequest } from '../../../lib/client/index.ts';
import { request_finished } from '../../../lib/signals/index.ts';
import { serve } from '../../../lib/serve.ts';
import { Mailbox } from '../../support/mailbox.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const MiB = 1024 * 1024;
const folder = temporaryFolder();
const closing: (() => unknown)[] = [];
let sockets = 0;

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

interface Served {
  readonly application: Application;
  readonly client: Client;
  /** Resolves when nothing of a request is left, with the error of the last. */
  readonly finished: Promise<unknown>;
}

async function serving(handler: FetchHandler, light = true): Promise<Served> {
  const application = new Application().fallback(fromFetch(handler, { light }));
  const at = `unix:${folder.join(`${(sockets += 1)}.sock`)}`;
  const finished = new Promise((resolve) => {
    const onFinished = ({ error }: { error: unknown }): void => resolve(error);
    request_finished.connect(onFinished, { sender: application });
    closing.push(() => request_finished.disconnect(onFinished, { sender: application }));
  });
  const served = await serve(application, { listen: at });
  closing.push(() => served.close({ timeout: 0 }));
  const client = new Client({ address: at });
  closing.push(() => client.destroy());
  return { application, client, finished };
}

const asked = (
  method: string,
  more: Omit<ClientRequest, 'params'> = {},
  params: Record<string, string> = {},
): ClientRequest => ({
  ...more,
  params: { REQUEST_METHOD: method, REQUEST_URI: '/x', HTTP_HOST: 'localhost', ...params },
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe.each([true, false])('light: %p', (light) => {
  test('a body comes in and goes out, byte by byte the same', async () => {
    const { client } = await serving((request) => new Response(request.body), light);
    const sent = Buffer.alloc(3 * MiB).map((_byte, at) => (at * 31) % 251);
    const response = await client.request(asked('POST', { stdin: sent }, { CONTENT_LENGTH: String(sent.length) }));
    expect(response.status).toBe(200);
    expect((await response.bytes()).equals(sent)).toBe(true);
  });

  test('both ways at the same time', async () => {
    const { client } = await serving(
      (request) => new Response(request.body?.pipeThrough(new TransformStream())),
      light,
    );
    const given = new Mailbox<string>();
    const body = (async function* () {
      for (let piece = await given.next(); piece !== ''; piece = await given.next()) yield piece;
    })();
    const asking = client.request(asked('POST', { stdin: body }));
    const seen: string[] = [];
    let pieces: AsyncIterator<unknown> | undefined;
    for (const piece of ['first', 'second', 'third']) {
      given.put(piece);
      pieces ??= (await asking).body[Symbol.asyncIterator]();
      seen.push(String((await pieces.next()).value));
    }
    given.put('');
    expect((await pieces?.next())?.done).toBe(true);
    expect(seen).toEqual(['first', 'second', 'third']);
    await (
      await asking
    ).ended;
  });

  test('a body that is not read does not harm', async () => {
    const { client } = await serving(() => new Response('no, thanks'), light);
    for (const _again of [1, 2]) {
      const stdin = Buffer.alloc(MiB);
      const response = await client.request(asked('POST', { stdin }, { CONTENT_LENGTH: String(stdin.length) }));
      expect(await response.text()).toBe('no, thanks');
    }
  });

  test('a body that is read slowly is sent slowly', async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    let begun = (): void => {};
    const reading = new Promise<void>((resolve) => (begun = resolve));
    const { client } = await serving(async (request) => {
      let length = 0;
      for await (const piece of request.body as unknown as AsyncIterable<Uint8Array>) {
        if (length === 0) begun();
        length += piece.length;
        await released;
      }
      return Response.json(length);
    }, light);
    let given = 0;
    const body = (async function* () {
      for (; given < 64 * MiB; given += 65_536) yield Buffer.alloc(65_536);
    })();
    const asking = client.request(asked('POST', { stdin: body }));
    await reading;
    let before = -1;
    while (given !== before) {
      before = given;
      for (let turns = 0; turns < 50; turns++) await turn();
    }
    expect(given).toBeLessThan(8 * MiB);
    release();
    expect(await (await asking).json()).toBe(64 * MiB);
  });

  test('an answer that is read slowly is made slowly', async () => {
    let made = 0;
    const { client } = await serving(() => {
      const stream = new ReadableStream<Uint8Array>({
        pull(controller) {
          if (made === 64 * MiB) return controller.close();
          made += 65_536;
          controller.enqueue(new Uint8Array(65_536));
        },
      });
      return new Response(stream);
    }, light);
    const response = await client.request(asked('GET'));
    let before = -1;
    while (made !== before) {
      before = made;
      for (let turns = 0; turns < 50; turns++) await turn();
    }
    expect(made).toBeLessThan(8 * MiB);
    let length = 0;
    for await (const piece of response.body) length += (piece as Buffer).length;
    expect(length).toBe(64 * MiB);
  });

  test('signal aborts when the client leaves, and that of a copy', async () => {
    const controller = new AbortController();
    let begun = (): void => {};
    const running = new Promise<void>((resolve) => (begun = resolve));
    let reasons: unknown[] = [];
    const { client, finished } = await serving(async (request) => {
      const signals = [request.signal, new Request(request).signal];
      const aborts = signals.map((signal) => once(signal, 'abort'));
      begun();
      await Promise.all(aborts);
      reasons = signals.map((signal) => signal.reason as unknown);
      return new Response();
    }, light);
    const asking = client.request(asked('GET', { signal: controller.signal })).catch((error: Error) => error.message);
    await running;
    controller.abort();
    await asking;
    expect(((await finished) as Error).name).toBe('AbortError');
    const reason = { name: 'AbortError', code: 'ABORTED' };
    expect(reasons).toMatchObject([reason, reason]);
  });

  test('and the body errs', async () => {
    const controller = new AbortController();
    let begun = (): void => {};
    const running = new Promise<void>((resolve) => (begun = resolve));
    let failed: unknown;
    const { client, finished } = await serving(async (request) => {
      const reader = request.body?.getReader();
      await reader?.read();
      begun();
      await reader?.read().catch((error: unknown) => (failed = error));
      return new Response();
    }, light);
    const body = (async function* () {
      yield 'a';
      await new Promise((resolve) => controller.signal.addEventListener('abort', resolve));
    })();
    const asking = client.request(asked('POST', { stdin: body, signal: controller.signal })).catch(() => {});
    await running;
    controller.abort();
    await asking;
    await finished;
    expect(failed).toMatchObject({ name: 'AbortError', code: 'ABORTED' });
  });

  test('a body that ends short of its length errs', async () => {
    const { client } = await serving(async (request) => {
      try {
        return new Response(await request.text());
      } catch (error) {
        return Response.json((error as { code: string }).code);
      }
    }, light);
    const response = await client.request(asked('POST', { stdin: 'abc' }, { CONTENT_LENGTH: '10' }));
    expect(await response.json()).toBe('BODY_TRUNCATED');
  });

  test('an answer is cancelled when the client leaves it, even while it is silent', async () => {
    let cancelled = false;
    const { client, finished } = await serving(() => {
      const stream = new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(Buffer.from('first')),
        pull: () => new Promise(() => {}),
        cancel() {
          cancelled = true;
        },
      });
      return new Response(stream);
    }, light);
    const response = await client.request(asked('GET'));
    expect(String((await once(response.body, 'data'))[0])).toBe('first');
    response.body.destroy();
    await finished;
    expect(cancelled).toBe(true);
  });

  test('it can be handed on: fetch(request)', async () => {
    const upstream = createServer((request, response) => {
      void (async () => {
        let text = '';
        for await (const piece of request) text += String(piece);
        response.setHeader('X-Upstream', 'yes');
        response.end(JSON.stringify([request.method, request.url, request.headers['x-a'], text]));
      })();
    }).listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    closing.push(() => upstream.close());
    const { client } = await serving((request) => {
      request.headers.set('X-A', 'b');
      return fetch(request);
    }, light);
    const host = `127.0.0.1:${(upstream.address() as AddressInfo).port}`;
    const response = await client.request(asked('POST', { stdin: 'text' }, { HTTP_HOST: host, CONTENT_LENGTH: '4' }));
    expect(response.header('X-Upstream')).toBe('yes');
    expect(await response.json()).toEqual(['POST', '/x', 'b', 'text']);
  });
});
