// Reason phrases, and which answers have no body.

import { STATUS_CODES } from 'node:http';
import { isBodyless, reasonPhrase } from '../../lib/cgi/index.ts';

// Node names these as older RFCs did.
const RENAMED = new Map([
  [413, 'Content Too Large'],
  [422, 'Unprocessable Content'],
]);

test("are RFC 9110's", () => {
  for (const status of [
    200, 204, 301, 302, 303, 304, 400, 401, 403, 404, 405, 408, 413, 415, 416, 422, 431, 500, 502, 503, 504,
  ]) {
    expect([status, reasonPhrase(status)]).toEqual([status, RENAMED.get(status) ?? STATUS_CODES[status]]);
  }
});

test.each([
  [299, 'OK'],
  [399, 'Multiple Choices'],
  [418, 'Bad Request'],
  [599, 'Internal Server Error'],
  [600, 'Unknown'],
  [NaN, 'Unknown'],
])('an unknown status has the phrase of its class: %p is %s', (status, phrase) => {
  expect(reasonPhrase(status)).toBe(phrase);
});

test('204 and 304 have no body, whatever the method', () => {
  const bodyless = Array.from({ length: 400 }, (_, at) => 200 + at).filter((status) => isBodyless(status));
  expect(bodyless).toEqual([204, 304]);
});
