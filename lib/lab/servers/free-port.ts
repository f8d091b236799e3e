// A port for a server, that is free only until somebody else takes it.

const ATTEMPTS = 20;
const TAKEN = /address already in use/i;

/**
 * Start something on a port of 127.0.0.1: the given one, or any, and then another one where it was taken. Ports are from 20000
 * to 31999, below those that systems give to clients, so a server finds its own again when it restarts.
 */
export async function onFreePort(port: number | undefined, start: (port: number) => Promise<void>): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const candidate = port ?? 20_000 + Math.floor(Math.random() * 12_000);
    try {
      await start(candidate);
      return candidate;
    } catch (error) {
      if (port !== undefined || attempt === ATTEMPTS || !TAKEN.test(String(error))) throw error;
    }
  }
}
