// What a site of the lab is made with.

import type { Driver, Fix } from '../result.ts';

export interface SiteSettings {
  /** Of the database, or of pgbouncer in front of it. */
  readonly url: string;
  readonly fix: Fix;
  readonly driver: Driver;
  /** The file of pg-native. */
  readonly native?: string;
  /** The file that its processes write down what they do. */
  readonly journal: string;
}
