// Medians: what a shared machine disturbs least.

/** The median; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** The median of `values[i] / others[i]`, of the rounds that both have: what slows one round slows both. */
export function pairedRatio(
  values: ReadonlyMap<number, number>,
  others: ReadonlyMap<number, number> | undefined,
): number {
  const ratios: number[] = [];
  for (const [round, value] of values) {
    const other = others?.get(round);
    if (other !== undefined) ratios.push(value / other);
  }
  return median(ratios);
}
