// Signal: Django's dispatcher (django/dispatch/dispatcher.py) with receivers that may be async.

/** What a receiver is called with: one object, the signal's own fields beside `signal` and `sender`. */
export type SignalEvent<Named extends object> = Named & { signal: Signal<Named>; sender: unknown };

/** Hears a signal. It may be async: `send` and `sendRobust` wait for it. */
export type Receiver<Named extends object> = (event: SignalEvent<Named>) => unknown;

/** Options of `connect`. */
export interface ConnectOptions {
  /** Hear only this sender, compared by identity. Default: all senders. */
  sender?: unknown;
  /** Names the receiver, so that connecting it again changes nothing. Needed for closures and `method.bind(object)`. */
  dispatchUid?: string | symbol;
  /** Hold the receiver weakly: it falls silent once nobody else holds it. Default false (Django: true). */
  weak?: boolean;
  /** Disconnect before the first call. Default false. */
  once?: boolean;
  /** Run after all receivers that are not `last`, whenever they connect: for what tears down. Default false. */
  last?: boolean;
}

/** A receiver with its answer, or with the error it threw (`sendRobust`). */
export type SignalResult<Named extends object> = [receiver: Receiver<Named>, response: unknown];

interface Connection<Named extends object> {
  key: unknown; // dispatchUid, or the receiver itself
  sender: unknown;
  receiver: Receiver<Named> | WeakRef<Receiver<Named>>;
  once: boolean;
  last: boolean;
}

/**
 * A named list of receivers. Receivers run one after the other in connect order, each awaited before the next, because
 * the order of teardown matters; `parallel` runs them together. The list is fixed when a send begins.
 */
export class Signal<Named extends object = object> {
  readonly name: string;
  /** Told of errors that `sendRobust` and `notify` swallow. Default: console.error. */
  onError: (error: unknown, receiver: Receiver<Named>, signal: Signal<Named>) => void = logError;
  #connections: readonly Connection<Named>[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /**
   * Add a receiver. A second connect with the same (receiver or dispatchUid, sender) changes nothing. Bound methods are
   * compared by identity: give `method.bind(object)` a dispatchUid. Throws TypeError for what is not a function.
   */
  connect(receiver: Receiver<Named>, options: ConnectOptions = {}): void {
    if (typeof receiver !== 'function') throw new TypeError(`${this.name}.connect: a receiver is a function`);
    const key = options.dispatchUid ?? receiver;
    const { sender, last = false } = options;
    if (this.#live().some((known) => keyOf(known) === key && known.sender === sender)) return;
    const connection: Connection<Named> = {
      key: options.weak && options.dispatchUid === undefined ? new WeakRef(receiver) : key,
      sender,
      receiver: options.weak ? new WeakRef(receiver) : receiver,
      once: options.once ?? false,
      last,
    };
    const firstLast = last ? -1 : this.#connections.findIndex((known) => known.last);
    this.#connections =
      firstLast < 0 ? [...this.#connections, connection] : this.#connections.toSpliced(firstLast, 0, connection);
  }

  /** Remove a receiver, given as itself or by its dispatchUid, with the sender it was connected for. Whether it was there. */
  disconnect(receiver: Receiver<Named> | string | symbol, options: { sender?: unknown } = {}): boolean {
    const before = this.#connections.length;
    this.#connections = this.#connections.filter(
      (known) => !(keyOf(known) === receiver && known.sender === options.sender),
    );
    return this.#connections.length < before;
  }

  /** Whether anybody would hear this sender. */
  hasListeners(sender?: unknown): boolean {
    return this.#connections.some((known) => hears(known, sender) && receiverOf(known) !== undefined);
  }

  /** Call the receivers; the first error stops the rest and rejects. Resolves to pairs of receiver and answer. */
  async send(sender: unknown, named: Named, options: { parallel?: boolean } = {}): Promise<SignalResult<Named>[]> {
    const receivers = this.#take(sender);
    const event = this.#event(sender, named);
    const call = async (receiver: Receiver<Named>): Promise<SignalResult<Named>> => [receiver, await receiver(event)];
    if (options.parallel) return Promise.all(receivers.map(call));
    const results: SignalResult<Named>[] = [];
    for (const receiver of receivers) results.push(await call(receiver));
    return results;
  }

  /** Call every receiver whatever the others do; a thrown error is that receiver's answer, and is told to `onError`. */
  async sendRobust(
    sender: unknown,
    named: Named,
    options: { parallel?: boolean } = {},
  ): Promise<SignalResult<Named>[]> {
    const receivers = this.#take(sender);
    const event = this.#event(sender, named);
    const call = async (receiver: Receiver<Named>): Promise<SignalResult<Named>> => {
      try {
        return [receiver, await receiver(event)];
      } catch (error) {
        this.#report(error, receiver);
        return [receiver, error instanceof Error ? error : new Error(String(error), { cause: error })];
      }
    };
    if (options.parallel) return Promise.all(receivers.map(call));
    const results: SignalResult<Named>[] = [];
    for (const receiver of receivers) results.push(await call(receiver));
    return results;
  }

  /**
   * `sendRobust` without results, for what is sent with every request: a promise only where a receiver returned one,
   * so that plain receivers cost no turn of the event loop. Never throws, never rejects.
   */
  notify(sender: unknown, named: Named): Promise<void> | undefined {
    if (this.#connections.length === 0) return undefined;
    const receivers = this.#take(sender);
    const event = this.#event(sender, named);
    for (let i = 0; i < receivers.length; i++) {
      const receiver = receivers[i] as Receiver<Named>;
      try {
        const answer = receiver(event);
        if (isThenable(answer)) return this.#notifyRest(answer, receivers, i, event);
      } catch (error) {
        this.#report(error, receiver);
      }
    }
    return undefined;
  }

  async #notifyRest(
    pending: PromiseLike<unknown>,
    receivers: readonly Receiver<Named>[],
    at: number,
    event: SignalEvent<Named>,
  ): Promise<void> {
    let answer: unknown = pending;
    for (let i = at; i < receivers.length; i++) {
      const receiver = receivers[i] as Receiver<Named>;
      try {
        if (i > at) answer = receiver(event);
        await answer;
      } catch (error) {
        this.#report(error, receiver);
      }
    }
  }

  #event(sender: unknown, named: Named): SignalEvent<Named> {
    return { ...named, signal: this, sender };
  }

  /** The receivers for this sender; those connected `once` are disconnected here. */
  #take(sender: unknown): Receiver<Named>[] {
    const receivers: Receiver<Named>[] = [];
    let stale = false;
    for (const connection of this.#connections) {
      if (!hears(connection, sender)) continue;
      const receiver = receiverOf(connection);
      if (receiver === undefined || connection.once) stale = true;
      if (receiver !== undefined) receivers.push(receiver);
    }
    if (stale) this.#connections = this.#live().filter((known) => !(known.once && hears(known, sender)));
    return receivers;
  }

  #live(): readonly Connection<Named>[] {
    return this.#connections.filter((known) => receiverOf(known) !== undefined);
  }

  #report(error: unknown, receiver: Receiver<Named>): void {
    try {
      this.onError(error, receiver, this);
    } catch {
      // A logger that fails must not fail the request.
    }
  }
}

/**
 * Connect a function where it is defined, to one signal or several: `const warm = receiver(worker_started)(() => ...)`.
 * Django's `@receiver`.
 */
export function receiver<Named extends object>(
  signals: Signal<Named> | readonly Signal<Named>[],
  options: ConnectOptions = {},
): <Func extends Receiver<Named>>(func: Func) => Func {
  return (func) => {
    for (const signal of [signals].flat() as Signal<Named>[]) signal.connect(func, options);
    return func;
  };
}

function hears(connection: { sender: unknown }, sender: unknown): boolean {
  return connection.sender === undefined || connection.sender === sender;
}

function receiverOf<Named extends object>(connection: Connection<Named>): Receiver<Named> | undefined {
  return connection.receiver instanceof WeakRef ? connection.receiver.deref() : connection.receiver;
}

function keyOf(connection: { key: unknown }): unknown {
  return connection.key instanceof WeakRef ? connection.key.deref() : connection.key;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function';
}

function logError<Named extends object>(error: unknown, func: Receiver<Named>, signal: Signal<Named>): void {
  console.error(`Error calling ${func.name || 'a receiver'} of ${signal.name}:`, error);
}
