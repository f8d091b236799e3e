// PeerList: which web servers may connect.

import { PeerList } from '../../lib/server/peer-list.ts';

describe('PeerList', () => {
  test.each([
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', '127.0.0.2', false],
    ['127.0.0.1', '::ffff:127.0.0.1', true], // an IPv4 peer of an IPv6 socket
    ['::ffff:127.0.0.1', '127.0.0.1', true],
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.1.2.3/8', '10.9.9.9', true],
    ['10.0.0.0/8', '::ffff:10.1.1.1', true],
    ['0.0.0.0/0', '8.8.8.8', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['192.168.1.128/25', '192.168.1.127', false],
    ['192.168.1.1/32', '192.168.1.1', true],
    ['::1', '::1', true],
    ['::1', '0:0:0:0:0:0:0:1', true],
    ['::1', '127.0.0.1', false],
    ['2001:db8::/32', '2001:db8:1::5', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['::/0', '2001:db8::1', true],
    ['fe80::/10', 'fe80::1%eth0', true],
  ])('%p and the peer %p: %p', (entry, peer, allowed) => {
    expect(new PeerList([entry]).allows(peer)).toBe(allowed);
  });

  test('several entries: any of them; none: nobody', () => {
    const list = new PeerList(['127.0.0.1', '10.0.0.0/8', '::1']);
    expect(['127.0.0.1', '10.1.1.1', '::1', '9.9.9.9'].map((peer) => list.allows(peer))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(new PeerList([]).allows('127.0.0.1')).toBe(false);
  });

  test('a peer without an address, of a unix socket or gone already, is not allowed', () => {
    expect(new PeerList(['0.0.0.0/0', '::/0']).allows(undefined)).toBe(false);
  });

  test.each([
    '',
    ' ',
    'localhost',
    'example.org',
    '127.0.0',
    '127.0.0.1.1',
    '127.0.0.256',
    '127.1',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0.0/',
    '10.0.0.0/ 8',
    '10.0.0.0/255.0.0.0',
    '::1/129',
    '::ffff:10.0.0.0/104',
    '*',
    '127.0.0.1:9000',
  ])('%p is refused, with what to write instead', (entry) => {
    expect(() => new PeerList(['127.0.0.1', entry])).toThrow(
      new TypeError(`"${entry}" is not an IP address or network; write for example 127.0.0.1 or 10.0.0.0/8`),
    );
  });
});
