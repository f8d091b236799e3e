// A hashed password as text: the PHC string format, `$scrypt$ln=14,r=8,p=5$salt$hash`.
// https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md

/** Cost of scrypt (RFC 7914, 2): N = 2 ** ln, block size, parallelisation. */
export interface ScryptCost {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

export interface HashedPassword {
  readonly cost: ScryptCost;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

const MAX_MEMORY = 256 * 1024 * 1024;
const MAX_WORK = 2 ** 23; // N * r * p; eight times the cost OWASP asks for
const PATTERN = /^\$scrypt\$ln=([1-9]\d?),r=([1-9]\d?),p=([1-9]\d?)\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** Bytes that scrypt needs. */
export function memoryOf({ ln, r, p }: ScryptCost): number {
  return 128 * r * (2 ** ln + p);
}

export function formatPassword({ cost: { ln, r, p }, salt, hash }: HashedPassword): string {
  return `$scrypt$ln=${ln},r=${r},p=${p}$${base64(salt)}$${base64(hash)}`;
}

/** Undefined for what is none, and for a cost that would take the worker down: over 256 MiB or 2 ** 23 rounds. */
export function parsePassword(encoded: string): HashedPassword | undefined {
  const match = PATTERN.exec(encoded);
  if (match === null) return undefined;
  const [ln, r, p] = match.slice(1, 4).map(Number) as [number, number, number];
  const cost = { ln, r, p };
  if (memoryOf(cost) > MAX_MEMORY || 2 ** ln * r * p > MAX_WORK) return undefined;
  return { cost, salt: Buffer.from(match[4] as string, 'base64'), hash: Buffer.from(match[5] as string, 'base64') };
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
