// Scaling: how many workers are wanted, from what the workers there are doing. Pure.

/** Always so many workers. */
export interface StaticScaling {
  kind: 'static';
  workers: number;
}

/** As many as keep between `minSpare` and `maxSpare` workers without a request; php-fpm's dynamic, flup's prefork. */
export interface DynamicScaling {
  kind: 'dynamic';
  /** At the start. */
  workers: number;
  minSpare: number;
  maxSpare: number;
  maxWorkers: number;
}

/** None while there is nothing to do; one more while all are busy; php-fpm's ondemand. */
export interface OnDemandScaling {
  kind: 'ondemand';
  maxWorkers: number;
  /** A worker without a request for so long leaves. Milliseconds. */
  idleTimeout: number;
}

export type Scaling = StaticScaling | DynamicScaling | OnDemandScaling;

/** What the workers are doing that serve or are about to. */
export interface Fleet {
  booting: number;
  /** Milliseconds without a request for each worker that serves; 0 where it has one. */
  idle: readonly number[];
}

const GROWTH = 32; // php-fpm's own bound on how many are started at once

/** Holds the number of workers that is wanted, and changes it a step at a time. */
export class Scaler {
  #scaling: Scaling;
  #wanted: number;
  #step = 1; // doubles while it does not suffice, as in Apache and php-fpm

  /** Throws RangeError where the numbers contradict each other. */
  constructor(scaling: Scaling) {
    check(scaling);
    this.#scaling = scaling;
    this.#wanted = scaling.kind === 'ondemand' ? 1 : scaling.workers; // the first one shows that the application starts
  }

  get wanted(): number {
    return this.#wanted;
  }

  /** Never more workers than that, those included that are worn and leave by themselves. */
  get most(): number {
    return this.#scaling.kind === 'static' ? 2 * this.#wanted : this.#scaling.maxWorkers;
  }

  /** Look at the workers, at regular times. */
  review({ booting, idle }: Fleet): void {
    const scaling = this.#scaling;
    if (scaling.kind === 'static') return;
    const size = booting + idle.length;
    const spare = idle.filter((ms) => ms > 0).length;
    if (scaling.kind === 'dynamic') {
      if (spare + booting < scaling.minSpare) this.#grow(size, scaling.minSpare - spare - booting, scaling.maxWorkers);
      else this.#settle(Math.min(Math.max(spare > scaling.maxSpare ? size - 1 : size, 1), scaling.maxWorkers));
    } else {
      const rested = idle.filter((ms) => ms > scaling.idleTimeout).length;
      if (idle.length > 0 && spare + booting === 0) this.#settle(Math.min(size + 1, scaling.maxWorkers));
      else this.#settle(Math.min(size - rested, scaling.maxWorkers));
    }
  }

  /** Somebody waits and there are no workers. */
  wake(): void {
    if (this.#wanted === 0) this.#wanted = 1;
  }

  /** One more, or one less: of all, or of those there may be. At least one. */
  resize(by: 1 | -1): void {
    const scaling = this.#scaling;
    if (scaling.kind === 'static') {
      this.#scaling = { ...scaling, workers: Math.max(1, scaling.workers + by) };
      this.#wanted = this.#scaling.workers;
    } else {
      this.#scaling = { ...scaling, maxWorkers: Math.max(1, scaling.maxWorkers + by) };
    }
  }

  #grow(size: number, missing: number, most: number): void {
    this.#wanted = Math.min(size + Math.min(this.#step, missing), most);
    this.#step = Math.min(this.#step * 2, GROWTH);
  }

  #settle(wanted: number): void {
    this.#wanted = wanted;
    this.#step = 1;
  }
}

function check(scaling: Scaling): void {
  if (scaling.kind !== 'dynamic') return;
  const { workers, minSpare, maxSpare, maxWorkers } = scaling;
  if (minSpare > maxSpare) throw new RangeError(`--min-spare ${minSpare} is more than --max-spare ${maxSpare}`);
  if (workers > maxWorkers) throw new RangeError(`--workers ${workers} is more than --max-workers ${maxWorkers}`);
}
