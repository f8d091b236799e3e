// PeerList: which web servers may connect (FCGI_WEB_SERVER_ADDRS, specification 3.2).

import { BlockList, isIP, isIPv4 } from 'node:net';

/**
 * IP addresses and networks in CIDR notation. Throws TypeError for anything else: a list with a mistake in it must never
 * come to mean everybody.
 */
export class PeerList {
  readonly #list: BlockList = new BlockList();

  constructor(entries: readonly string[]) {
    for (const entry of entries) this.#add(entry);
  }

  /** Whether a peer may connect. A unix peer has no address and may not: who wants unix peers sets no list. */
  allows(address: string | undefined): boolean {
    if (address === undefined) return false;
    const plain = unmapped(address);
    return this.#list.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6');
  }

  #add(entry: string): void {
    const [address = '', prefix, more] = entry.trim().split('/');
    const plain = unmapped(address);
    const family = isIPv4(plain) ? 'ipv4' : 'ipv6';
    const bits = Number(prefix);
    const right =
      isIP(plain) !== 0 &&
      more === undefined &&
      (prefix === undefined || (/^\d{1,3}$/.test(prefix) && bits <= (family === 'ipv4' ? 32 : 128)));
    if (!right) {
      throw new TypeError(`"${entry}" is not an IP address or network; write for example 127.0.0.1 or 10.0.0.0/8`);
    }
    if (prefix === undefined) this.#list.addAddress(plain, family);
    else this.#list.addSubnet(plain, bits, family);
  }
}

/** An IPv4 address that came in IPv6's clothes. */
function unmapped(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return mapped ? (mapped[1] as string) : address;
}
