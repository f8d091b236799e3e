// Drops its privileges as its argument says, and prints who it is then and what it may no longer do.

import { dropPrivileges, resolveUser, type UserAndGroup } from '../../../lib/daemon/index.ts';

const attempt = (act: () => unknown): string => {
  try {
    return JSON.stringify(act() ?? null);
  } catch (error) {
    return (error as Error).message;
  }
};

const wanted = JSON.parse(process.argv[2] as string) as { become: UserAndGroup; later?: UserAndGroup };
const identity = resolveUser(wanted.become);
dropPrivileges(identity);
console.log(
  JSON.stringify({
    identity,
    ids: [process.getuid?.(), process.geteuid?.(), process.getgid?.(), process.getegid?.()],
    groups: process.getgroups?.(),
    rootAgain: attempt(() => process.seteuid?.(0)),
    rootGroupAgain: attempt(() => process.setegid?.(0)),
    ...(wanted.later && { later: attempt(() => dropPrivileges(resolveUser(wanted.later as UserAndGroup))) }),
  }),
);
