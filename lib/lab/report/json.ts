// reportJson(): the result as it is, for programs.

import type { LabResult } from '../result.ts';

/** Indented by two spaces, keys in the order of the result, a line feed at the end. */
export function reportJson(result: LabResult): string {
  return `${JSON.stringify(result, null, 2)}\n`;
}
