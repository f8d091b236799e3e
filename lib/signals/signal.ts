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
  /** Be called once at most: disconnected right before the call. Default false. */
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
  spent: boolean; // a `once` that has been called; sends that began before may still hold it
  last: boolean;
}

/**
 * A named list of receivers. Receivers run one after the other in connect order, each awaited before the next, because
 * the order of teardown matters; `parallel` runs them together, those that are `last` behind the others. The list is fixed
 * when a send begins: what connects or disconnects meanwhile counts from the next one on.
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
    const { sender, weak = false, once = false, last = false } = options;
    const key = options.dispatchUid ?? receiver;
    const live = this.#live();
    if (live.some((known) => keyOf(known) === key && known.sender === sender)) return;
    const held = weak ? new WeakRef(receiver) : receiver;
    const connection = { key: options.dispatchUid ?? held, sender, receiver: held, once, spent: false, last };
    const firstLast = last ? -1 : live.findIndex((known) => known.last);
    this.#connections = firstLast < 0 ? [...live, connection] : live.toSpliced(firstLast, 0, connection);
  }

  /** Remove a receiver, given as itself or by its dispatchUid, with the sender it was connected for. Whether it was there. */
  disconnect(receiver: Receiver<Named> | string | symbol, options: { sender?: unknown } = {}): boolean {
    const live = this.#live();
    this.#connections = live.filter((known) => !(keyOf(known) === receiver && known.sender === options.sender));
    return this.#connections.length < live.length;
  }

  /** Whether anybody would hear this sender. */
  hasListeners(sender?: unknown): boolean {
    return this.#connections.some((known) => hears(known, sender) && receiverOf(known) !== undefined);
  }

  /** Call the receivers; the first error stops the rest and rejects. Resolves to pairs of receiver and answer. */
  async send(sender: unknown, named: Named, options: { parallel?: boolean } = {}): Promise<SignalResult<Named>[]> {
    const event = this.#event(sender, named);
    return this.#run(sender, options, async (receiver) => [receiver, await receiver(event)]);
  }

  /** Call every receiver whatever the others do; a thrown error is that receiver's answer, and is told to `onError`. */
  async sendRobust(
    sender: unknown,
    named: Named,
    options: { parallel?: boolean } = {},
  ): Promise<SignalResult<Named>[]> {
    const event = this.#event(sender, named);
    return this.#run(sender, options, async (receiver) => {
      try {
        return [receiver, await receiver(event)];
      } catch (error) {
        this.#report(error, receiver);
        return [receiver, error instanceof Error ? error : new Error('a receiver threw no Error', { cause: error })];
      }
    });
  }

  /**
   * `sendRobust` without results, for what is sent with every request: a promise only where a receiver returned one,
   * so that plain receivers cost no turn of the event loop. `named` itself becomes the event: a copy of it costs as much
   * as the rest of a small request. Never throws, never rejects.
   */
  notify(sender: unknown, named: Named): Promise<void> | undefined {
    const connections = this.#connections;
    if (connections.length === 0) return undefined;
    const event = named as SignalEvent<Named>;
    event.signal = this;
    event.sender = sender;
    for (let i = 0; i < connections.length; i++) {
      const receiver = this.#claim(connections[i] as Connection<Named>, sender);
      if (receiver === undefined) continue;
      try {
        const answer = receiver(event);
        if (isThenable(answer)) return this.#notifyRest(answer, receiver, connections.slice(i + 1), event);
      } catch (error) {
        this.#report(error, receiver);
      }
    }
    return undefined;
  }

  async #notifyRest(
    pending: PromiseLike<unknown>,
    pendingReceiver: Receiver<Named>,
    rest: readonly Connection<Named>[],
    event: SignalEvent<Named>,
  ): Promise<void> {
    try {
      await pending;
    } catch (error) {
      this.#report(error, pendingReceiver);
    }
    for (const connection of rest) {
      const receiver = this.#claim(connection, event.sender);
      if (receiver === undefined) continue;
      try {
        await receiver(event);
      } catch (error) {
        this.#report(error, receiver);
      }
    }
  }

  async #run(
    sender: unknown,
    options: { parallel?: boolean },
    call: (receiver: Receiver<Named>) => Promise<SignalResult<Named>>,
  ): Promise<SignalResult<Named>[]> {
    const results: SignalResult<Named>[] = [];
    const connections = this.#connections;
    for (const group of options.parallel ? byLast(connections) : connections.map((connection) => [connection])) {
      const receivers = group.map((connection) => this.#claim(connection, sender));
      results.push(...(await Promise.all(receivers.filter((receiver) => receiver !== undefined).map(call))));
    }
    return results;
  }

  #event(sender: unknown, named: Named): SignalEvent<Named> {
    return { ...named, signal: this, sender };
  }

  /** The receiver to be called now; undefined where it is for another sender, collected, or `once` and called already. */
  #claim(connection: Connection<Named>, sender: unknown): Receiver<Named> | undefined {
    if (connection.spent || !hears(connection, sender)) return undefined;
    if (connection.once) {
      connection.spent = true;
      this.#connections = this.#connections.filter((known) => known !== connection);
    }
    return receiverOf(connection);
  }

  #live(): readonly Connection<Named>[] {
    return this.#connections.filter((known) => receiverOf(known) !== undefined);
  }

  #report(error: unknown, receiver: Receiver<Named>): void {
    try {
      const told: unknown = this.onError(error, receiver, this);
      if (isThenable(told)) told.then(undefined, () => {});
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

function byLast<Named extends object>(connections: readonly Connection<Named>[]): Connection<Named>[][] {
  return [connections.filter(({ last }) => !last), connections.filter(({ last }) => last)];
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
