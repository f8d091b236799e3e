// The user and group that a process started by root goes on as.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const LOOKUP_WITHIN = 5000; // ms, for a directory server that does not answer

// @types/node 20 has it not
type WithInitgroups = NodeJS.Process & { initgroups: (user: string, group: number) => void };

/** Whose rights to take: names or numbers. */
export interface UserAndGroup {
  user?: string | number;
  /** Without it, the user's own group. */
  group?: string | number;
}

/** Ids to take; what is absent stays as it is. */
export interface Identity {
  uid?: number;
  gid?: number;
  /** The user's name, where it has one. */
  name?: string;
}

/**
 * Look a user and a group up: in /etc/passwd and /etc/group, then by `getent` (at most 5000 ms), which knows LDAP and others.
 * Throws Error where there is none of that name, where only root could take it, or where the group of a bare number is unknown.
 */
export function resolveUser({ user, group }: UserAndGroup): Identity {
  const identity: Identity = {};
  if (user !== undefined) {
    const entry = lookUp('passwd', user);
    const uid = entry === undefined ? asNumber(user) : Number(entry[2]);
    if (uid === undefined) throw new Error(`there is no user ${user} on this system; see \`getent passwd\``);
    identity.uid = uid;
    if (entry?.[0] !== undefined) {
      identity.name = entry[0];
      identity.gid = Number(entry[3]);
    } else if (group === undefined) {
      throw new Error(`user ${user} has no entry on this system, so its group is not known; give the group too`);
    }
  }
  if (group !== undefined) {
    const entry = lookUp('group', group);
    const gid = entry === undefined ? asNumber(group) : Number(entry[2]);
    if (gid === undefined) throw new Error(`there is no group ${group} on this system; see \`getent group\``);
    identity.gid = gid;
  }
  refuseWithoutRights(identity);
  return identity;
}

/**
 * Take an identity for good: supplementary groups, then group, then user, since each step takes away the right to the one
 * before. Throws Error where root could be had back afterwards. Does nothing for the identity that the process has.
 */
export function dropPrivileges(identity: Identity): void {
  if (!isRoot()) return refuseWithoutRights(identity);
  const { uid, gid, name } = identity;
  if (gid !== undefined) {
    // without a user, root stays root and keeps its groups
    if (uid !== undefined && name !== undefined) (process as WithInitgroups).initgroups(name, gid);
    else if (uid !== undefined) process.setgroups?.([gid]);
    process.setgid?.(gid);
  }
  if (uid === undefined) return;
  process.setuid?.(uid);
  const kept = process.getuid?.() !== uid || process.geteuid?.() !== uid;
  if (kept || (gid !== undefined && (process.getgid?.() !== gid || process.getegid?.() !== gid))) {
    throw new Error(`the process did not become user ${name ?? uid}`);
  }
  if (uid !== 0 && canBecomeRoot())
    throw new Error(`the process became user ${name ?? uid} but could become root again`);
}

function refuseWithoutRights({ uid, gid }: Identity): void {
  if (isRoot()) return;
  if (uid !== undefined && uid !== process.geteuid?.()) {
    throw new Error(`only root may change the user (to ${uid}); start as root, or leave the user out`);
  }
  if (gid !== undefined && gid !== process.getegid?.()) {
    throw new Error(`only root may change the group (to ${gid}); start as root, or leave the group out`);
  }
}

function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

function canBecomeRoot(): boolean {
  try {
    process.setuid?.(0);
    return true;
  } catch {
    return false;
  }
}

/** The fields of a line of passwd(5) or group(5), by name or number. */
function lookUp(database: 'passwd' | 'group', key: string | number): string[] | undefined {
  const wanted = String(key);
  const column = asNumber(key) === undefined ? 0 : 2;
  const find = (text: string): string[] | undefined =>
    text
      .split('\n')
      .map((line) => line.split(':'))
      .find((fields) => fields[column] === wanted && /^\d+$/.test(fields[2] ?? ''));
  return find(readFile(`/etc/${database}`)) ?? find(getent(database, wanted));
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // a container may have none
  }
}

function getent(database: string, key: string): string {
  if (key.startsWith('-')) return ''; // would be an option
  try {
    return execFileSync('getent', [database, key], {
      encoding: 'utf8',
      timeout: LOOKUP_WITHIN,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return ''; // exit 2: not found; or there is no such program
  }
}

function asNumber(key: string | number): number | undefined {
  return /^\d{1,10}$/.test(String(key)) ? Number(key) : undefined;
}
