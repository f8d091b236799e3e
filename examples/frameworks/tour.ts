// What scripts/demo shows of a framework's example: the same requests to each. Exits 1 where an answer is not as it should be.

const [url = 'http://127.0.0.1:8080'] = process.argv.slice(2);

interface Step {
  readonly what: string;
  readonly path: string;
  readonly init?: RequestInit;
  readonly expect: RegExp;
}

const STEPS: readonly Step[] = [
  { what: 'a page', path: '/', expect: /^Hello from \S+.*\n$/ },
  {
    what: 'a body, both ways',
    path: '/echo',
    init: { method: 'POST', body: '{"a":1}', headers: { 'Content-Type': 'application/json' } },
    expect: /^\{"a":1\}$/,
  },
  { what: 'an answer in pieces', path: '/stream', expect: /^piece 1\npiece 2\npiece 3\n$/ },
];

for (const { what, path, init, expect } of STEPS) {
  const response = await fetch(url + path, init);
  const text = await response.text();
  console.log(`${what}: ${init?.method ?? 'GET'} ${path} -> ${response.status}, ${JSON.stringify(text)}`);
  if (response.status !== 200 || !expect.test(text)) {
    console.error(`it should be 200, and match ${expect}`);
    process.exitCode = 1;
  }
}
