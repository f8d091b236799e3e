// The requests that scripts/demo shows: `tour.ts http://127.0.0.1:8080`. Exits with 1 where an answer is not the expected one.

import { createHash } from 'node:crypto';

interface Step {
  about: string;
  path: string;
  init?: RequestInit;
  status: number;
  /** What the answer must contain. */
  has: string;
}

const upload = Buffer.alloc(1024 * 1024, 'postfork ');
const sha256 = createHash('sha256').update(upload).digest('hex');

const STEPS: readonly Step[] = [
  { about: 'a page', path: '/', status: 200, has: '<h1>What this request is</h1>' },
  { about: 'JSON', path: '/facts?a=%20b', status: 200, has: '"target":"/facts?a=%20b"' },
  {
    about: 'a form',
    path: '/greet',
    init: { method: 'POST', body: new URLSearchParams({ name: 'Ada & Co' }) },
    status: 200,
    has: '<h1>Hello, Ada &#38; Co!</h1>',
  },
  { about: 'an upload of 1 MiB', path: '/upload', init: { method: 'PUT', body: upload }, status: 200, has: sha256 },
  { about: 'a stream', path: '/count', status: 200, has: 'line 10 of 10\n' },
  { about: 'an error', path: '/fail', init: { headers: { Accept: 'text/html' } }, status: 500, has: 'on purpose' },
  { about: 'a path that is none', path: '/none', status: 404, has: 'Not Found' },
  // The one that asks is not finished yet.
  { about: 'the signals: 8 started', path: '/facts', status: 200, has: '"request_started":8,"request_finished":7' },
];

const [base = ''] = process.argv.slice(2);
let wrong = 0;
for (const { about, path, init, status, has } of STEPS) {
  const response = await fetch(base + path, init);
  const text = await response.text();
  const right = response.status === status && text.includes(has);
  if (!right) wrong += 1;
  console.log(`  ${init?.method ?? 'GET'} ${path}  (${about})`);
  console.log(
    `    ${response.status} ${response.headers.get('Content-Type')}, ${text.length} characters: ${excerpt(text, has)}`,
  );
  if (!right) console.log(`    EXPECTED ${status} with ${has}`);
}
process.exitCode = wrong > 0 ? 1 : 0;

/** The line that has what is looked for, or the part of it that has. */
function excerpt(text: string, has: string): string {
  const line = text.split('\n').find((candidate) => candidate.includes(has.trim())) ?? text.split('\n')[0] ?? '';
  if (line.length <= 100) return line;
  const from = Math.max(0, line.indexOf(has.trim()) - 20);
  return `${from > 0 ? '...' : ''}${line.slice(from, from + 100)}...`;
}
