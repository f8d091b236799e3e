// inRows(): bars on as few rows as they need.

const GAP = 2; // px

/** Each bar's row, counted from 0: the first whose last bar has ended before this one begins. */
export function inRows(bars: readonly { readonly from: number; readonly to: number }[]): readonly number[] {
  const ends: number[] = [];
  const rows = bars.map(() => 0);
  const order = bars.map((bar, index) => ({ ...bar, index })).toSorted((one, other) => one.from - other.from);
  for (const { from, to, index } of order) {
    const free = ends.findIndex((end) => end + GAP <= from);
    const row = free === -1 ? ends.length : free;
    ends[row] = to;
    rows[index] = row;
  }
  return rows;
}
