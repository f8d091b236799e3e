// How long a process drains that an error has reached which nobody has caught.

const UNKNOWN_WITHIN = 5000; // ms at most: some request may never end by it

/** ms. `known`: the request that it happened for has been ended. */
export function drainTimeoutAfterUncaught(stopTimeout: number, known: boolean): number {
  return known ? stopTimeout : Math.min(stopTimeout, UNKNOWN_WITHIN);
}
