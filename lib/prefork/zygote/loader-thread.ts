// Whether modules are loaded by hooks in a thread (module.register), which a forked worker does not have.

import module, { syncBuiltinESMExports } from 'node:module';

type Register = (specifier: string | URL, ...rest: unknown[]) => unknown;

/**
 * Learn of `module.register` from now on. Returns the first specifier that was registered, once there is one: in a worker that
 * is forked afterwards each `import()` waits for ever.
 */
export function watchLoaderThread(): () => string | undefined {
  const { register } = module as unknown as { register: Register };
  let registered: string | undefined;
  const watched: Register = (specifier, ...rest) => {
    registered ??= String(specifier);
    return register(specifier, ...rest);
  };
  Object.assign(module, { register: watched });
  syncBuiltinESMExports(); // for `import { register } from 'node:module'`
  return () => registered;
}
