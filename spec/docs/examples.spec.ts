// The examples in README.md and docs/ run as they stand there, in a process of their own, and the applications answer.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '../..');

interface Page {
  name: string;
  blocks: string[];
}

const pages: Page[] = ['README.md', 'docs/adapters.md', 'docs/application.md', 'docs/client.md', 'docs/signals.md'].map(
  (name) => ({
    name,
    blocks: [...readFileSync(join(root, name), 'utf8').matchAll(/^```js\n([^]*?)^```$/gm)].map(
      ([, code]) => code as string,
    ),
  }),
);

/** Run a module that has this code in it; what it prints. Within the repository, so that `postfork` is this package. */
function run(code: string): string {
  const folder = mkdtempSync(join(root, '.example-'));
  try {
    const path = join(folder, 'example.mjs');
    writeFileSync(path, code);
    const env = { ...process.env, DATABASE_URL: 'postgres://localhost/none' }; // nothing is opened
    const result = spawnSync(process.execPath, [path], { cwd: root, encoding: 'utf8', timeout: 15_000, env });
    if (result.status !== 0) throw new Error(`exit ${result.status}\n${result.stderr}`);
    return result.stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The blocks that export an application, each with the first of these words that is in it. */
const examples = pages.flatMap(({ name, blocks }) =>
  blocks.filter((code) => code.includes('export default app')).map((code) => ({ name, code })),
);

/** An example's application asked for one thing: what it said. */
function ask(marker: string, request: object): { status: number; body: string; headers: Record<string, string> } {
  const example = examples.find(({ code }) => code.includes(marker));
  if (example === undefined) throw new Error(`no example has ${marker}`);
  const asking = `
    const answer = await app.inject(${JSON.stringify(request)});
    console.log(JSON.stringify({ status: answer.status, body: answer.text(), headers: Object.fromEntries(answer.headers) }));
    process.exit();`;
  return JSON.parse(run(example.code + asking)) as ReturnType<typeof ask>;
}

test('every example of an application runs', () => {
  expect(examples.length).toBeGreaterThan(7);
  for (const { code } of examples) run(`${code}\nprocess.exit();`);
});

test.each([
  ["'/users/:id', (request) => HttpResponse.json", { target: '/users/7' }, 200, '{"id":"7"}'],
  ["'/echo'", { method: 'POST', target: '/echo', body: 'again' }, 200, 'again'],
  ["'/json'", { target: '/json' }, 200, '{"any":["object","array"]}'],
  ["'/web'", { target: '/web' }, 201, 'a web-standard Response'],
  ["'/members'", { target: '/members' }, 403, '403 members only\n'],
  ["'/files/*'", { target: '/files/a/b%20c' }, 200, 'a/b c'],
  ["'/admin'", { target: '/admin/', headers: { 'X-Key': 'secret' } }, 200, 'mounted at /admin'],
  ["'/admin'", { target: '/admin/' }, 401, 'no'],
  ["'/admin'", { target: '/else' }, 404, 'no route for /else'],
  [
    "'/sum'",
    { method: 'POST', target: '/sum', body: '' },
    200,
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  ],
  ["'/order'", { method: 'POST', target: '/order' }, 200, 'thank you'],
  ["'/rows'", { target: '/rows' }, 200, '1\n2\n3\n'],
  ["'/rows'", { target: '/docs/thread.md', method: 'HEAD' }, 200, ''],
  ["'/rows'", { target: '/news' }, 200, 'event: news\nid: 1\ndata: it rains\n\ndata: it stopped\n\n'],
  ["'/rows'", { target: '/old' }, 301, ''],
  ['app.authorize', { role: 2, headers: { Cookie: 'sid=right' } }, 200, ''],
  ['app.authorize', { role: 2 }, 401, 'who are you?'],
  ['app.filter', { role: 3, data: 'file' }, 200, 'FILE'],
])('the example with %s answers %j with %i', (marker, request, status, body) => {
  const answer = ask(marker, request);
  expect(answer.status).toBe(status);
  expect(answer.body).toBe(body);
});

test('a form, and a multipart form', () => {
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
  expect(ask("'/form'", { method: 'POST', target: '/form', headers: form, body: 'a=1&b=2' }).body).toBe(
    '{"a":"1","b":"2"}',
  );
  const body = '--x\r\nContent-Disposition: form-data; name="p"; filename="p.jpg"\r\n\r\nabc\r\n--x--\r\n';
  const multipart = { 'Content-Type': 'multipart/form-data; boundary=x' };
  expect(ask("'/photos'", { method: 'POST', target: '/photos', headers: multipart, body }).body).toBe('["p.jpg: 3"]');
});

test('serving from a program of your own', () => {
  const code = pages.flatMap(({ blocks }) => blocks).find((block) => block.includes('serving.close()'));
  expect(run(code as string)).toMatch(/^tcp:127\.0\.0\.1:\d+\n$/);
});
