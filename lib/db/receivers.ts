// The whole life of database connections, as receivers of signals (django/db/__init__.py).

import {
  after_fork,
  before_fork,
  followRequests,
  got_request_exception,
  request_finished,
  request_started,
  worker_started,
  worker_stopping,
} from '../signals/index.ts';
import { endScopeOfRequest, existingScope } from './scope/index.ts';
import type { Connections } from './connections.ts';

/** What connections do at each signal. */
export function bindConnections(connections: Connections): void {
  followRequests();
  request_started.connect(function closeOldConnections() {
    connections.closeOld();
  });
  got_request_exception.connect(function rollBackRequest({ request }) {
    return existingScope(request as object)?.rollBack();
  });
  request_finished.connect(
    function endRequest({ request }) {
      return endScopeOfRequest(request as object)?.end();
    },
    { last: true },
  );
  before_fork.connect(
    function closeBeforeFork() {
      return connections.closeBeforeFork();
    },
    { last: true },
  );
  after_fork.connect(function discardInherited({ inWorker }) {
    if (inWorker) connections.discardInherited();
  });
  worker_started.connect(function checkConnectionLimits({ workers, first }) {
    if (first) connections.checkLimits(workers);
  });
  worker_stopping.connect(
    function closeAll() {
      return connections.closeAll();
    },
    { last: true },
  );
}
