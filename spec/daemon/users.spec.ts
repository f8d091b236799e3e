// Which ids a user and a group have, and becoming them for good. What only root can do is tried where root runs the specs.

import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { resolveUser } from '../../lib/daemon/index.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder();
const startedByRoot = process.geteuid?.() === 0 ? describe : describe.skip;
const NOBODY = 65534;
const [DAEMON] = execFileSync('getent', ['group', 'daemon'], { encoding: 'utf8' }).match(/\d+/) ?? [];

interface Report {
  identity: object;
  ids: number[];
  groups: number[];
  rootAgain: string;
  rootGroupAgain: string;
  later?: string;
}

/** spec/daemon/programs/identity.ts in a process of its own. */
function become(wanted: object, path = process.env['PATH']): Report {
  const program = join(__dirname, 'programs/identity.ts');
  const args = ['--import', 'tsx', program, JSON.stringify(wanted)];
  return JSON.parse(
    execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 15_000, env: { ...process.env, PATH: path } }),
  ) as Report;
}

describe('resolveUser()', () => {
  test('says who is not there', () => {
    expect(() => resolveUser({ user: 'no-such-user' })).toThrow('there is no user no-such-user on this system');
    expect(() => resolveUser({ group: '--help' })).toThrow('there is no group --help on this system');
    expect(() => resolveUser({ user: '' })).toThrow('there is no user  on this system');
  });

  test('accepts the identity that the process has', () => {
    const [uid, gid] = [process.getuid?.() as number, process.getgid?.() as number];
    expect(resolveUser({ user: uid, group: gid })).toMatchObject({ uid, gid });
  });
});

startedByRoot('resolveUser() of root', () => {
  test('knows users and groups by name and number, a user with its own group', () => {
    expect(resolveUser({ user: 'root' })).toEqual({ uid: 0, gid: 0, name: 'root' });
    expect(resolveUser({ user: 'nobody' })).toEqual({ uid: NOBODY, gid: NOBODY, name: 'nobody' });
    expect(resolveUser({ user: NOBODY })).toEqual({ uid: NOBODY, gid: NOBODY, name: 'nobody' });
    expect(resolveUser({ user: 'nobody', group: 'daemon' })).toEqual({
      uid: NOBODY,
      gid: Number(DAEMON),
      name: 'nobody',
    });
    expect(resolveUser({ group: '1' })).toEqual({ gid: 1 });
    expect(resolveUser({})).toEqual({});
  });

  test('takes a bare number where its group is given', () => {
    expect(resolveUser({ user: 54321, group: 54322 })).toEqual({ uid: 54321, gid: 54322 });
    expect(() => resolveUser({ user: 54321 })).toThrow('its group is not known; give the group too');
  });
});

startedByRoot('dropPrivileges() of root', () => {
  test('becomes the user and its groups, and root cannot be had back', () => {
    expect(become({ become: { user: 'nobody' } })).toMatchObject({
      ids: [NOBODY, NOBODY, NOBODY, NOBODY],
      groups: [NOBODY],
      rootAgain: expect.stringContaining('EPERM'),
      rootGroupAgain: expect.stringContaining('EPERM'),
    });
  });

  test('a user that is in no file is asked of getent', () => {
    const getent = folder.join('getent');
    writeFileSync(getent, '#!/bin/sh\n[ "$*" = "passwd ldap-user" ] && echo "ldap-user:*:54321:54322::/:/bin/sh"\n');
    chmodSync(getent, 0o755);
    expect(become({ become: { user: 'ldap-user' } }, `${folder.path}:${process.env['PATH']}`)).toMatchObject({
      identity: { uid: 54321, gid: 54322, name: 'ldap-user' },
      ids: [54321, 54321, 54322, 54322],
      groups: [54322],
    });
  });

  test("a user without a name keeps none of root's groups", () => {
    expect(become({ become: { user: 54321, group: 54322 } })).toMatchObject({
      ids: [54321, 54321, 54322, 54322],
      groups: [54322],
      rootAgain: expect.stringContaining('EPERM'),
    });
  });

  test('a group alone leaves the user', () => {
    expect(become({ become: { group: 'daemon' } })).toMatchObject({ ids: [0, 0, Number(DAEMON), Number(DAEMON)] });
  });

  test('who is not root may stay what it is and become nobody else', () => {
    expect(become({ become: { user: 'nobody' }, later: { user: 'nobody' } }).later).toBe('null');
    expect(become({ become: { user: 'nobody' }, later: { user: 'root' } }).later).toBe(
      'only root may change the user (to 0); start as root, or leave the user out',
    );
    expect(become({ become: { user: 'nobody' }, later: { group: 'daemon' } }).later).toBe(
      `only root may change the group (to ${DAEMON}); start as root, or leave the group out`,
    );
  });
});
