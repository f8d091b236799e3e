// sameOrigin(): unsafe requests that other sites' pages have browsers send are refused.

import { Application } from '../../lib/app/index.ts';
import { sameOrigin } from '../../lib/auth/index.ts';

const app = new Application()
  .use(sameOrigin({ trustedOrigins: ['https://trusted.example:8443'] }))
  .fallback((request) => request.method);

async function status(method: string, headers: Record<string, string>): Promise<number> {
  return (await app.inject({ method, headers: { Host: 'site.example:8080', ...headers } })).status;
}

test.each<[headers: Record<string, string>, status: number]>([
  [{ 'Sec-Fetch-Site': 'same-origin' }, 200],
  [{ 'Sec-Fetch-Site': 'none' }, 200],
  [{ 'Sec-Fetch-Site': 'same-site' }, 403],
  [{ 'Sec-Fetch-Site': 'cross-site' }, 403],
  [{ 'Sec-Fetch-Site': '', Origin: 'https://evil.example' }, 403],
  [{ 'Sec-Fetch-Site': 'same-origin', Origin: 'https://evil.example' }, 200],
  [{ 'Sec-Fetch-Site': 'cross-site', Origin: 'http://site.example:8080' }, 403],
  [{ 'Sec-Fetch-Site': 'cross-site', Origin: 'https://trusted.example:8443' }, 200],
  [{}, 200],
  [{ Origin: 'http://site.example:8080' }, 200],
  [{ Origin: 'https://site.example:8080' }, 200],
  [{ Origin: 'https://site.example' }, 403],
  [{ Origin: 'https://SITE.example:8080', Host: 'Site.Example:8080' }, 200],
  [{ Origin: 'https://evil.example' }, 403],
  [{ Origin: 'https://trusted.example:8443' }, 200],
  [{ Origin: 'https://trusted.example' }, 403],
  [{ Origin: 'null' }, 403],
  [{ 'Sec-Fetch-Site': 'same-origin, cross-site' }, 403],
])('a POST with %j: %d', async (headers, expected) => {
  expect(await status('POST', headers)).toBe(expected);
  expect(await status('DELETE', headers)).toBe(expected);
  expect(await status('GET', headers)).toBe(200);
  expect(await status('HEAD', headers)).toBe(200);
});

test.each(['trusted.example', 'https://trusted.example/', 'https://trusted.example/path', 'null'])(
  '%s is no origin to trust',
  (origin) => expect(() => sameOrigin({ trustedOrigins: [origin] })).toThrow('is no origin'),
);
