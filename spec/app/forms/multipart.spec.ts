// multipart(): forms with fields and files (RFC 7578).

import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import * as fc from 'fast-check';

import { Client } from '../../../lib/client/index.ts';
import {
  Application,
  HttpError,
  type FormPart,
  type HttpRequest,
  type MultipartLimits,
} from '../../../lib/app/index.ts';
import { serve } from '../../../lib/serve.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const BOUNDARY = 'frontier';
const TYPE = `multipart/form-data; boundary=${BOUNDARY}`;

interface Part {
  name: string;
  value: Buffer | string;
  filename?: string;
}

function form(parts: Part[]): Buffer {
  const pieces = parts.flatMap(({ name, value, filename }) => [
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"`,
    filename === undefined ? '' : `; filename="${filename}"\r\nContent-Type: image/png`,
    '\r\n\r\n',
    value,
    '\r\n',
  ]);
  return Buffer.concat([...pieces, `--${BOUNDARY}--\r\n`].map((piece) => Buffer.from(piece as string)));
}

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Bytes in pieces, and how many of them have been asked for. */
function counted(bytes: Buffer): { body: AsyncIterable<Buffer>; given: () => number } {
  let given = 0;
  const body = async function* (): AsyncGenerator<Buffer> {
    for await (const piece of inPieces(bytes, 10_000)) {
      given += piece.length;
      yield piece;
    }
  };
  return { body: body(), given: () => given };
}

/** What `handler` makes of a form, or the status it is answered with. */
async function handled(
  body: Uint8Array | AsyncIterable<Uint8Array>,
  handler: (request: HttpRequest) => Promise<unknown>,
  type = TYPE,
): Promise<unknown> {
  let result: unknown;
  const app = new Application().post('/', async (request) => {
    result = await handler(request);
    return 'read';
  });
  const response = await app.inject({ method: 'POST', headers: { 'Content-Type': type }, body });
  return response.status === 200 ? result : `${response.status}: ${response.text().trim()}`;
}

async function everything(request: HttpRequest, limits?: MultipartLimits): Promise<string[]> {
  const seen: string[] = [];
  for await (const part of request.multipart(limits)) seen.push(await shown(part));
  return seen;
}

async function shown(part: FormPart): Promise<string> {
  if (part.kind === 'field') return `${part.name}=${part.value}`;
  const pieces: Buffer[] = [];
  for await (const piece of part.stream) pieces.push(piece);
  return `${part.name}: ${part.filename} (${part.contentType}) ${Buffer.concat(pieces).toString('latin1')}`;
}

const MIXED = form([
  { name: 'title', value: 'Grüße' },
  { name: 'photo', value: Buffer.from([0, 1, 13, 10, 45, 45, 255]), filename: 'a.png' },
  { name: 'empty', value: '' },
  { name: 'none', value: '', filename: '' },
  { name: 'title', value: 'again' },
]);
const MIXED_READ = [
  'title=Grüße',
  'photo: a.png (image/png) \x00\x01\r\n--\xff',
  'empty=',
  'none:  (image/png) ',
  'title=again',
];

describe('a form', () => {
  test('gives its fields and files in their order', async () => {
    expect(await handled(MIXED, everything)).toEqual(MIXED_READ);
  });

  test('is the same however its bytes are cut', async () => {
    for (let size = 1; size <= MIXED.length; size++) {
      expect(await handled(inPieces(MIXED, size), everything)).toEqual(MIXED_READ);
    }
    for (let cut = 0; cut <= MIXED.length; cut++) {
      const halves = (async function* () {
        yield MIXED.subarray(0, cut);
        yield MIXED.subarray(cut);
      })();
      expect(await handled(halves, everything)).toEqual(MIXED_READ);
    }
  });

  test('of any content comes back, in pieces of any size', async () => {
    const part = fc.record(
      {
        name: fc.stringMatching(/^[a-z_]{1,8}$/),
        value: fc.uint8Array({ maxLength: 300 }),
        filename: fc.constant('f'),
      },
      { requiredKeys: ['name', 'value', 'filename'] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 8 }), fc.integer({ min: 1, max: 400 }), async (parts, size) => {
        const files = parts.map(({ name, value, filename }) => ({ name, value: Buffer.from(value), filename }));
        fc.pre(files.every(({ value }) => !value.includes(`--${BOUNDARY}`)));
        const expected = files.map(({ name, value }) => `${name}: f (image/png) ${value.toString('latin1')}`);
        expect(await handled(inPieces(form(files), size), everything)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  test('takes the last part of a path for the file name', async () => {
    const body = form([{ name: 'f', value: 'x', filename: '../../etc/passwd' }]);
    expect(await handled(body, everything)).toEqual(['f: passwd (image/png) x']);
  });

  test('may have quotes around its boundary', async () => {
    const type = `Multipart/Form-Data; charset=utf-8; boundary="${BOUNDARY}"`;
    expect(await handled(form([{ name: 'a', value: '1' }]), everything, type)).toEqual(['a=1']);
  });

  test('is read once', async () => {
    const twice = async (request: HttpRequest): Promise<unknown> => {
      const parts = request.multipart();
      await parts.collect();
      return parts.collect().catch((error: Error) => error.message);
    };
    expect(await handled(MIXED, twice)).toBe('a multipart form can be read once');
  });
});

describe('collect()', () => {
  test('gives a small form whole', async () => {
    const collected = (await handled(MIXED, (request) => request.multipart().collect())) as {
      fields: URLSearchParams;
      files: unknown[];
    };
    expect([...collected.fields]).toEqual([
      ['title', 'Grüße'],
      ['empty', ''],
      ['title', 'again'],
    ]);
    expect(collected.files).toEqual([
      { name: 'photo', filename: 'a.png', contentType: 'image/png', bytes: Buffer.from([0, 1, 13, 10, 45, 45, 255]) },
      { name: 'none', filename: '', contentType: 'image/png', bytes: Buffer.alloc(0) },
    ]);
  });

  test.each([
    [
      'fields',
      [
        { name: 'a', value: 'x'.repeat(900) },
        { name: 'b', value: 'y'.repeat(200) },
      ],
    ],
    ['files', [{ name: 'a', value: 'x'.repeat(2000), filename: 'f' }]],
    ['names', [{ name: 'n'.repeat(1100), value: '' }]],
  ])('is 413 where the %s are more than maxBodyBytes', async (_what, parts) => {
    const collect = (request: HttpRequest): Promise<unknown> => {
      request.maxBodyBytes = 1024;
      return request.multipart().collect();
    };
    expect(await handled(form(parts), collect)).toBe('413: 413 a form of more than 1024 bytes');
  });
});

describe('limits', () => {
  const field = (name: string, value = ''): Part => ({ name, value });
  const file = (name: string, value = ''): Part => ({ name, value, filename: 'f' });

  test.each<[MultipartLimits, Part[], string]>([
    [{ maxFields: 2 }, [field('a'), field('b'), field('c')], 'a form of more than 2 fields'],
    [{ maxFiles: 1 }, [file('a'), file('b')], 'a form of more than 1 files'],
    [{ maxParts: 2 }, [field('a'), file('b'), field('c')], 'a form of more than 2 parts'],
    [{ maxFieldBytes: 4 }, [field('a', '12345')], 'a field of more than 4 bytes'],
    [{ maxFileBytes: 4 }, [file('a', '12345')], 'a file of more than 4 bytes'],
  ])('%j', async (limits, parts, message) => {
    const read = (request: HttpRequest): Promise<unknown> => everything(request, limits);
    for (const size of [1, 10_000]) {
      expect(await handled(inPieces(form(parts), size), read)).toBe(`413: 413 ${message}`);
      expect(await handled(inPieces(form(parts.slice(0, -1)), size), read)).toHaveLength(parts.length - 1);
    }
  });

  test('a file that is not read counts too', async () => {
    const names = async (request: HttpRequest): Promise<unknown> => {
      const seen: string[] = [];
      for await (const part of request.multipart({ maxFileBytes: 4 })) seen.push(part.name);
      return seen;
    };
    expect(await handled(inPieces(form([file('a', '12345'), field('b')]), 7), names)).toMatch(/^413/);
  });
});

describe('what is no form', () => {
  test.each([
    ['application/x-www-form-urlencoded', '415: 415 send the body as multipart/form-data'],
    ['multipart/form-datax; boundary=frontier', '415: 415 send the body as multipart/form-data'],
    ['multipart/form-data', '400: 400 the Content-Type of the form has no right boundary'],
    ['multipart/form-data; boundary=', '400: 400 the Content-Type of the form has no right boundary'],
    [`multipart/form-data; boundary=${'x'.repeat(71)}`, '400: 400 the Content-Type of the form has no right boundary'],
  ])('Content-Type: %s', async (type, answer) => {
    expect(await handled(MIXED, everything, type)).toBe(answer);
  });

  test('a part without a name is 400', async () => {
    const body = Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nx\r\n--${BOUNDARY}--\r\n`);
    expect(await handled(body, everything)).toBe('400: 400 a part of the form has no name');
  });

  test('a form that ends early is 400, wherever', async () => {
    const end = MIXED.lastIndexOf('--'); // before the last two dashes it is not whole
    for (let length = 0; length < end; length++) {
      for (const size of [1, 64, MIXED.length]) {
        expect(await handled(inPieces(MIXED.subarray(0, length), size), everything)).toBe(
          '400: 400 the body is not a whole multipart form',
        );
      }
    }
  });

  test('any bytes at all come to an end', async () => {
    const tokens = fc.constantFrom(
      '\r\n',
      '--',
      `--${BOUNDARY}`,
      `\r\n--${BOUNDARY}\r\n`,
      `\r\n--${BOUNDARY}--`,
      '\r\n\r\n',
    );
    const headers = fc.constantFrom(
      'Content-Disposition: form-data; name="a"',
      'Content-Disposition: form-data; name="a"; filename="b"',
      'Content-Disposition: form-data; name',
      'Content-Type: ',
      ':',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(tokens, headers, fc.string({ maxLength: 5 })), { maxLength: 20 }),
        fc.integer({ min: 1, max: 50 }),
        fc.constantFrom('read', 'skip', 'peek'),
        async (pieces, size, how) => {
          const read = async (request: HttpRequest): Promise<unknown> => {
            for await (const part of request.multipart()) {
              if (part.kind === 'field' || how === 'skip') continue;
              for await (const _piece of part.stream) if (how === 'peek') break;
            }
            return 'read';
          };
          expect(await handled(inPieces(Buffer.from(pieces.join('')), size), read)).toMatch(/^read$|^400/);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('what is not read', () => {
  const LARGE = form([
    { name: 'first', value: 'x'.repeat(300_000), filename: 'a' },
    { name: 'second', value: 'y'.repeat(300_000), filename: 'b' },
    { name: 'last', value: 'z' },
  ]);

  test('of files is skipped', async () => {
    const names = async (request: HttpRequest): Promise<unknown> => {
      const seen: string[] = [];
      for await (const part of request.multipart()) seen.push(part.name);
      return seen;
    };
    expect(await handled(inPieces(LARGE, 10_000), names)).toEqual(['first', 'second', 'last']);
  });

  test('of a file that was begun is skipped', async () => {
    const peek = async (request: HttpRequest): Promise<unknown> => {
      const seen: string[] = [];
      for await (const part of request.multipart()) {
        seen.push(part.name);
        if (part.kind === 'file') for await (const piece of part.stream) if (piece.length > 0) break;
      }
      return seen;
    };
    expect(await handled(inPieces(LARGE, 10_000), peek)).toEqual(['first', 'second', 'last']);
  });

  test('is left unread when the loop is left', async () => {
    const { body, given } = counted(LARGE);
    const first = async (request: HttpRequest): Promise<unknown> => {
      for await (const part of request.multipart()) return part.name;
      return undefined;
    };
    expect(await handled(body, first)).toBe('first');
    expect(given()).toBeLessThan(200_000);
  });

  test('is not taken from the web server beyond what a file may hold', async () => {
    const { body, given } = counted(LARGE);
    let before = 0;
    const slow = async (request: HttpRequest): Promise<unknown> => {
      let read = 0;
      for await (const part of request.multipart()) {
        if (part.kind === 'field') continue;
        for (let turn = 0; turn < 50; turn++) await setImmediate();
        before ||= given();
        for await (const piece of part.stream) read += piece.length;
      }
      return read;
    };
    expect(await handled(body, slow)).toBe(600_000);
    expect(before).toBeLessThan(200_000);
  });

  test('of a passed file is not taken for its end', async () => {
    const late = async (request: HttpRequest): Promise<unknown> => {
      const parts: FormPart[] = [];
      for await (const part of request.multipart()) parts.push(part);
      return shown(parts[0] as FormPart).catch((error: Error) => error.message);
    };
    expect(await handled(LARGE, late)).toBe('a file of a form is read once, before the next part');
  });

  test('while a file is still being read, the next part is an error for both', async () => {
    const both = async (request: HttpRequest): Promise<unknown> => {
      const errors: unknown[] = [];
      const readings: Promise<unknown>[] = [];
      try {
        for await (const part of request.multipart()) {
          readings.push(shown(part).catch((error: Error) => errors.push(error.message)));
        }
      } catch (error) {
        errors.push((error as Error).message);
      }
      await Promise.all(readings);
      return errors;
    };
    const message = 'the next part of a form was asked for while a file was still being read';
    expect(await handled(inPieces(LARGE, 10_000), both)).toEqual([message, message]);
  });
});

describe('behind a socket', () => {
  const folder = temporaryFolder();
  let sockets = 0;

  async function serving(
    handler: (request: HttpRequest) => Promise<string>,
    run: (client: Client) => Promise<void>,
  ): Promise<void> {
    const app = new Application().post('/', handler);
    const at = `unix:${folder.join(`${(sockets += 1)}.sock`)}`;
    const served = await serve(app, { listen: at });
    const client = new Client({ address: at });
    try {
      await run(client);
    } finally {
      client.destroy();
      await served.close({ timeout: 0, idle: 0 });
    }
  }

  const params = (length?: number): Record<string, string> => ({
    REQUEST_METHOD: 'POST',
    REQUEST_URI: '/',
    CONTENT_TYPE: TYPE,
    ...(length !== undefined && { CONTENT_LENGTH: String(length) }),
  });

  test('a form that the client breaks off is an error for the handler', async () => {
    const seen: unknown[] = [];
    const ended = new EventTarget();
    const over = once(ended, 'over');
    await serving(
      async (request) => {
        try {
          for await (const part of request.multipart()) seen.push(await shown(part));
        } catch (error) {
          seen.push((error as { code?: string }).code ?? error);
        }
        ended.dispatchEvent(new Event('over'));
        return 'never seen';
      },
      async (client) => {
        const abort = new AbortController();
        const upload = (async function* () {
          yield MIXED.subarray(0, 150);
          abort.abort();
          yield MIXED.subarray(150, 160);
        })();
        const request = client.request({ params: params(MIXED.length), stdin: upload, signal: abort.signal });
        await expect(request).rejects.toMatchObject({ code: 'ABORTED' });
        await over;
      },
    );
    expect(seen.at(-1)).toBe('ABORTED');
  });

  test('a body shorter than its Content-Length is 400', async () => {
    await serving(
      async (request) => (await everything(request)).join(),
      async (client) => {
        const response = await client.request({ params: params(MIXED.length + 5), stdin: MIXED });
        expect(response.status).toBe(400);
      },
    );
  });

  test('a form left half read is answered, and the connection serves on', async () => {
    const body = form([{ name: 'f', value: Buffer.alloc(1024 * 1024, 'x'), filename: 'f' }]);
    await serving(
      async (request) => {
        for await (const part of request.multipart()) if (part.kind === 'file') throw new HttpError(403, 'no files');
        return 'fields only';
      },
      async (client) => {
        for (let round = 0; round < 3; round++) {
          const response = await client.request({ params: params(body.length), stdin: body });
          expect([response.status, await response.text()]).toEqual([403, '403 no files\n']);
        }
      },
    );
  });
});
