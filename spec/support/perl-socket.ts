// Starts a program the way a web server or systemd does: with a listening socket that it did not make.

import { join } from 'node:path';
import { SpecProcess } from './process.ts';

const PROGRAM = join(__dirname, '../programs/responder.ts');

/** Which socket, on which descriptor, and what else is done before the program takes the process over. */
export interface Inherited {
  kind: 'unix' | 'inet' | 'inet6' | 'connected' | 'null';
  /** Of a unix socket. */
  path?: string;
  descriptor?: number;
  /** Perl code run before exec. */
  prelude?: string;
  options?: object;
}

const SOCKETS: Readonly<Record<Inherited['kind'], string>> = {
  unix: 'socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un($ARGV[0])) or die; listen(S, 8);',
  inet: 'socket(S, AF_INET, SOCK_STREAM, 0); bind(S, pack_sockaddr_in(0, INADDR_LOOPBACK)) or die; listen(S, 8);',
  inet6:
    'socket(S, AF_INET6, SOCK_STREAM, 0); bind(S, pack_sockaddr_in6(0, inet_pton(AF_INET6, "::1"))) or die; listen(S, 8);',
  connected: 'socketpair(S, T, AF_UNIX, SOCK_STREAM, PF_UNSPEC);',
  null: 'open(S, "<", "/dev/null");',
};

const PORTS: Readonly<Partial<Record<Inherited['kind'], string>>> = {
  inet: 'print STDERR "port ", (unpack_sockaddr_in(getsockname(S)))[0], "\\n";',
  inet6: 'print STDERR "port ", (unpack_sockaddr_in6(getsockname(S)))[0], "\\n";',
};

/** spec/programs/responder.ts in a process that perl has prepared: the process id stays the same. */
export function startWithSocket({
  kind,
  path = '',
  descriptor = 0,
  prelude = '',
  options = {},
}: Inherited): SpecProcess {
  const script = [
    'use Socket qw(:all); use POSIX ();',
    SOCKETS[kind],
    PORTS[kind] ?? '',
    // by way of a third one: perl closes its own behind exec, and S may be the one that is wanted
    `POSIX::dup2(fileno(S), 99); POSIX::dup2(99, ${descriptor}); POSIX::close(99);`,
    prelude,
    'shift @ARGV; exec { $ARGV[0] } @ARGV;',
  ].join('\n');
  const command = [process.execPath, '--import', 'tsx', PROGRAM, JSON.stringify(options)];
  return new SpecProcess('perl', ['-e', script, path, ...command]);
}
