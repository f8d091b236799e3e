// What the arbiter, the zygote and the workers say to each other: lines of JSON, each checked when it is read.

/** What a worker is doing. */
export interface Load {
  /** Active requests. */
  active: number;
  /** Open connections of web servers. */
  connections: number;
  /** Requests since its start. */
  served: number;
  /** Resident memory, bytes. */
  rss: number;
}

/** From a worker. Every one of them shows that its event loop turns. */
export type WorkerMessage =
  | { type: 'ready' }
  | { type: 'failed'; message: string } // it could not start
  | { type: 'load'; load: Load }
  // It has served as many requests as it should, and serves on until it is told to drain; or has begun the last of them, and
  // drains by itself.
  | { type: 'worn'; leaving: boolean }
  | { type: 'leaving' } // it drains by itself
  | { type: 'connection' }; // for another worker: its descriptor has gone the other way

/** To a worker. */
export type WorkerOrder =
  | { type: 'start'; settings: unknown } // only to a spawned one
  | { type: 'drain'; timeout: number; handOver: boolean } // ms; whether another worker takes its connections
  | { type: 'connection' } // of another worker: its descriptor has come the other way
  | { type: 'leave' }; // to a worn one that drains by itself: there will be no connections of other workers any more

/** From the zygote. */
export type ZygoteMessage =
  | { type: 'ready' }
  | { type: 'failed'; message: string }
  | { type: 'forked'; id: number; pid: number }
  | { type: 'refused'; id: number; message: string } // this fork
  | { type: 'exited'; pid: number; code: number | null; signal: string | null };

/** To the zygote. */
export type ZygoteOrder = { type: 'start'; settings: unknown } | { type: 'fork'; id: number };

/** Undefined for what is no such message: a worker runs the application's code, so the arbiter believes it nothing. */
export function parseWorkerMessage(line: string): WorkerMessage | undefined {
  const message = parse(line);
  switch (message?.['type']) {
    case 'ready':
    case 'leaving':
    case 'connection':
      return { type: message['type'] };
    case 'worn':
      return { type: 'worn', leaving: message['leaving'] === true };
    case 'failed':
      return { type: 'failed', message: text(message['message']) };
    case 'load': {
      const load = object(message['load']);
      return load && { type: 'load', load: loadOf(load) };
    }
    default:
      return undefined;
  }
}

export function parseZygoteMessage(line: string): ZygoteMessage | undefined {
  const message = parse(line);
  switch (message?.['type']) {
    case 'ready':
      return { type: 'ready' };
    case 'failed':
      return { type: 'failed', message: text(message['message']) };
    case 'forked':
      return { type: 'forked', id: count(message['id']), pid: count(message['pid']) };
    case 'refused':
      return { type: 'refused', id: count(message['id']), message: text(message['message']) };
    case 'exited': {
      const { code, signal } = message;
      return {
        type: 'exited',
        pid: count(message['pid']),
        code: typeof code === 'number' ? code : null,
        signal: typeof signal === 'string' ? signal : null,
      };
    }
    default:
      return undefined;
  }
}

/** The arbiter is believed. */
export function parseOrder(line: string): WorkerOrder | ZygoteOrder {
  return JSON.parse(line) as WorkerOrder | ZygoteOrder;
}

function loadOf(load: Record<string, unknown>): Load {
  return {
    active: count(load['active']),
    connections: count(load['connections']),
    served: count(load['served']),
    rss: count(load['rss']),
  };
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    return object(JSON.parse(line));
  } catch {
    return undefined;
  }
}

function object(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : 'it did not say why';
}
