// Which migrations of a set are to be applied, by what the database remembers. Pure.

import { MigrationError } from './migration-error.ts';
import type { Migration, ReadSet } from './read-folder.ts';

/** A row of postfork_migrations. */
export interface AppliedRow {
  readonly name: string;
  readonly checksum: string;
  readonly applied_at: Date;
}

/** Throws MigrationError CHANGED, MISSING or OUT_OF_ORDER. */
export function pendingOf({ set, migrations }: ReadSet, applied: readonly AppliedRow[]): Migration[] {
  for (const { name, checksum } of applied) {
    const migration = migrations.find((known) => known.name === name);
    if (migration === undefined) {
      throw new MigrationError('MISSING', `${name} of ${set} was applied, and there is no such file any more`);
    }
    if (migration.checksum !== checksum) {
      const text = `${migration.path} was changed after it was applied: put it back, and the change into another file`;
      throw new MigrationError('CHANGED', text);
    }
  }
  const names = new Set(applied.map(({ name }) => name));
  const last = [...names].toSorted().at(-1);
  const pending = migrations.filter(({ name }) => !names.has(name));
  const [first] = pending;
  if (first !== undefined && last !== undefined && first.name < last) {
    throw new MigrationError(
      'OUT_OF_ORDER',
      `${first.path} comes before ${last}, which was applied already: give it a higher number`,
    );
  }
  return pending;
}
