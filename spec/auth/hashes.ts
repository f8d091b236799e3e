// hashesOf(): how many passwords are hashed meanwhile.

import { createHook } from 'node:async_hooks';

/** The scrypt computations that `act` has begun, as Node tells. */
export async function hashesOf(act: () => Promise<unknown>): Promise<number> {
  let hashes = 0;
  const hook = createHook({ init: (_id, type) => void (type === 'SCRYPTREQUEST' && hashes++) }).enable();
  try {
    await act();
  } finally {
    hook.disable();
  }
  return hashes;
}
