// The drivers of the legacy connection.

import type { Driver } from '../../result.ts';
import type { Connect } from './driver.ts';
import { connectByLibpq } from './libpq-driver.ts';
import { connectPatiently, connectPlainly } from './pg-driver.ts';

export type { Connect, DriverConnection, Rows } from './driver.ts';

/** `native`: the file of pg-native, where that is the driver. */
export function connectBy(driver: Driver, native: string | undefined): Connect {
  switch (driver) {
    case 'pg':
      return connectPatiently;
    case 'pg-plain':
      return connectPlainly;
    case 'pg-native':
      if (native === undefined) throw new TypeError('pg-native: its file is not given');
      return (url) => connectByLibpq(url, native);
  }
}
