// noteProcesses(): who is there. The process that imports the site, those that are forked from it, those that serve.

import { after_fork, worker_started, worker_stopping } from '../../signals/index.ts';
import type { Journal } from './journal.ts';

/** `held`: the connection that is open in this process. A fork copies it. */
export function noteProcesses(journal: Journal, held: () => string | undefined): void {
  after_fork.connect(function noteFork({ inWorker }) {
    const connection = held();
    if (inWorker) journal.note('fork', connection === undefined ? {} : { connection });
  });
  worker_started.connect(function noteWorker() {
    journal.note('serve');
  });
  worker_stopping.connect(function noteLeaving() {
    journal.note('leave');
  });
}
