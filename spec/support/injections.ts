// Header names and values that must never get into a response's head: web servers pass an injected line on as it stands.

const CONTROLS = [...Array(32).keys(), 127].map((code) => String.fromCharCode(code));
const SEPARATORS = ' ()<>@,;:\\"/[]?={}'.split('');
const NO_LATIN1 = [
  '\u0100',
  '\u010a',
  '\u010d',
  '\u2028',
  '\u2029',
  '\u560a',
  '\u560d',
  '\ud83d\ude00',
  '\ud83d',
  '\udc0a',
];
const beforeWithinBehind = (text: string): string[] => [`${text}X-A`, `X-${text}A`, `X-A${text}`];

/** Names that are none (RFC 9110, 5.6.2). */
export const BAD_NAMES: readonly string[] = [
  '',
  ...[...CONTROLS, ...SEPARATORS, ...NO_LATIN1, '\x80', '\xa0', '\xe9', '\xff'].flatMap(beforeWithinBehind),
  'X-A: b\r\nX-B',
  'X-A\r\n\r\n<script>',
  'X-A:',
];

/** Values that would end their line, or that have no byte of their own. */
export const BAD_VALUES: readonly string[] = [
  ...[...CONTROLS.filter((control) => control !== '\t'), ...NO_LATIN1].flatMap(beforeWithinBehind),
  'b\r\nX-Injected: yes',
  'b\nX-Injected: yes',
  'b\rX-Injected: yes',
  'b\n\rX-Injected: yes',
  'b\r\n\r\n<script>alert(1)</script>',
  'b\n\n<script>alert(1)</script>',
  'b\r\nSet-Cookie: session=stolen',
  'b\r\nStatus: 200 OK',
  'b\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK',
  'b\r\nTransfer-Encoding: chunked',
  'b\r\n folded', // obs-fold (RFC 9112, 5.2)
  'b\r\n\tfolded',
  'b\n folded',
  'b\n\tfolded',
  '\r\n',
  '\n',
  '\r',
  '\0',
  '/\u560d\u560aSet-Cookie: x=y', // cut to bytes it would be CR LF
  '/\u010d\u010aSet-Cookie: x=y',
];
