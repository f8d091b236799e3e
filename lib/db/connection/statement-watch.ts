// What is told of a statement that is over.

/** A statement that is over. The values of its parameters are not told. */
export interface ExecutedStatement {
  /** As it was sent: with `$1`, `$2`, ... for parameters. */
  text: string;
  name: string | undefined;
  /** From its sending to the end of its answer, in ms. */
  duration: number;
  /** What it has failed with, an error of PEP 249. */
  error: Error | undefined;
}

/** Asked before a statement is sent: who is to hear of its end, if anybody is. */
export type StatementWatch = () => ((statement: ExecutedStatement) => void) | undefined;

/** What a statement is called. */
export interface Told {
  text: string;
  queryName?: string | undefined;
}

/** The same answer, of which `tell` is told when it is there. */
export async function tellEnd<T>(
  answer: Promise<T>,
  { text, queryName: name }: Told,
  tell: (statement: ExecutedStatement) => void,
): Promise<T> {
  const sent = performance.now();
  let error: Error | undefined;
  try {
    return await answer;
  } catch (thrown) {
    error = thrown as Error;
    throw thrown;
  } finally {
    tell({ text, name, duration: performance.now() - sent, error });
  }
}
