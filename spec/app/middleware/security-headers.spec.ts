// securityHeaders(): header fields that have browsers be careful.

import {
  Application,
  HttpResponse,
  securityHeaders,
  type InjectedRequest,
  type SecurityHeadersOptions,
} from '../../../lib/app/index.ts';

async function fields(options?: SecurityHeadersOptions, asked?: InjectedRequest): Promise<Record<string, string>> {
  const app = new Application()
    .use(securityHeaders(options))
    .get('/', () => HttpResponse.empty())
    .get('/async', async () => Promise.resolve(HttpResponse.empty()))
    .get('/own', () => HttpResponse.empty({ headers: { 'x-frame-options': 'SAMEORIGIN' } }))
    .get('/fails', () => Promise.reject(new Error('boom')));
  const { headers } = await app.inject(asked ?? {});
  expect(new Set(headers.map(([name]) => name.toLowerCase())).size).toBe(headers.length);
  return Object.fromEntries(headers.filter(([name]) => !name.startsWith('Content-T') && name !== 'Content-Length'));
}

const USUAL = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
};

test.each(['/', '/async', '/fails', '/missing'])('%s has them', async (target) => {
  expect(await fields({}, { target })).toEqual(USUAL);
});

test('Strict-Transport-Security is sent over https only', async () => {
  expect(await fields({}, { environ: { HTTPS: 'on' } })).toEqual({
    ...USUAL,
    'Strict-Transport-Security': 'max-age=31536000',
  });
  expect(await fields({ strictTransportSecurity: false }, { environ: { HTTPS: 'on' } })).toEqual(USUAL);
});

test('what a handler has set stays, in any case of letters', async () => {
  const { 'X-Frame-Options': _usual, ...others } = USUAL;
  expect(await fields({}, { target: '/own' })).toEqual({ ...others, 'x-frame-options': 'SAMEORIGIN' });
});

test('each can be set, or left out', async () => {
  const options: SecurityHeadersOptions = {
    contentTypeOptions: false,
    frameOptions: 'SAMEORIGIN',
    contentSecurityPolicy: "default-src 'self'; frame-ancestors 'none'",
    referrerPolicy: 'no-referrer',
    crossOriginOpenerPolicy: false,
  };
  expect(await fields(options)).toEqual({
    'X-Frame-Options': 'SAMEORIGIN',
    'Content-Security-Policy': "default-src 'self'; frame-ancestors 'none'",
    'Referrer-Policy': 'no-referrer',
  });
});

test('a value that would break the head is refused at once', () => {
  expect(() => securityHeaders({ referrerPolicy: 'x\r\nSet-Cookie: y' })).toThrow('control character');
});
