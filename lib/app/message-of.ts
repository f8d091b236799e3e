// messageOf(): what an error says, whatever it is that was thrown.

/** Never throws: `throw Object.create(null)` is no reason to lose a request. */
export function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message) : String(error);
  } catch {
    return 'something that has no text was thrown';
  }
}
