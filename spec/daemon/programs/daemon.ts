// A command that makes itself a daemon; its first argument says how the daemon behaves, the second is the daemon's options.

import { spawn } from 'node:child_process';
import { readlinkSync, writeFileSync } from 'node:fs';
import { daemonize, daemonLauncher, LogDestination, type DaemonOptions } from '../../../lib/daemon/index.ts';

const [behaviour = '', options = '{}', report = ''] = process.argv.slice(2);
const launcher = daemonLauncher();
if (launcher === undefined) await daemonize(JSON.parse(options) as DaemonOptions);

const descriptors = (): string[] => [0, 1, 2].map((descriptor) => readlinkSync(`/proc/self/fd/${descriptor}`));

const lives = setInterval(() => {}, 60_000);
switch (behaviour) {
  case 'serves': {
    console.error('loading'); // makes Node's stream of what stderr is now
    const log = new LogDestination();
    log.write('logged\n');
    launcher?.ready();
    log.write('still logged\n');
    console.error('serving');
    console.log('on stdout');
    const environ = Object.keys(process.env).filter((name) => name.startsWith('POSTFORK'));
    writeFileSync(
      report,
      JSON.stringify({ pid: process.pid, cwd: process.cwd(), descriptors: descriptors(), environ }),
    );
    process.on('SIGTERM', () => {
      console.error('ended');
      process.exit(0);
    });
    break;
  }
  case 'fails':
    console.error('a line that nobody needs');
    launcher?.failed('the socket is taken', 7);
    process.exit(9);
    break;
  case 'dies':
    console.error('Error: cannot load app.ts');
    process.exit(5);
    break;
  case 'is killed':
    process.kill(process.pid, 'SIGKILL');
    break;
  case 'ends':
    clearInterval(lives);
    break;
  case 'leaves a child and dies': {
    const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'inherit'] });
    writeFileSync(report, String(child.pid));
    process.exit(6);
    break;
  }
  default: // never says anything
    writeFileSync(report, String(process.pid));
}
