// What `postfork gateway` does: answers until an OS signal ends it.

import { printable } from '../daemon/index.ts';
import { accessLine, Gateway, type Access } from '../gateway/index.ts';
import { showsColors } from './colors.ts';
import { EndingSignals } from './ending-signals.ts';

export interface GatewayFlags {
  to: string;
  port: number;
  host: string;
  timeout: number;
}

/** Resolves when it is ended, and nothing of it is left. Rejects where it cannot listen. */
export async function runGateway({ to, port, host, timeout }: GatewayFlags): Promise<void> {
  const gateway = new Gateway({ to, timeout, onAccess: showAccess, onLog: showLine });
  const signals = new EndingSignals();
  try {
    const { url } = await gateway.listen({ port, host });
    process.stdout.write(`${url} answers from ${to} (Ctrl-C ends it)\n`);
    await new Promise<void>((resolve) => signals.handOnTo(() => resolve()));
  } finally {
    await gateway.close({ timeout: 0 });
    signals.close();
  }
}

export function showAccess(access: Access): void {
  process.stdout.write(`${accessLine(access, { color: showsColors(process.stdout) })}\n`);
}

/** The application's words may be a client's, which must not command the terminal. */
export function showLine(line: string): void {
  process.stderr.write(`${printable(line)}\n`);
}
