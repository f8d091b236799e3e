// DriverConnection: a connection as psycopg2 gave one to Django, on whatever driver.

/** A result's rows, values as text. */
export type Rows = readonly Readonly<Record<string, string | null>>[];

export interface DriverConnection {
  /** It was closed by this process, or has failed. What another process has done to it is not known. */
  readonly closed: boolean;
  /** The port of its socket at this end; undefined where it cannot be told. */
  readonly port: number | undefined;
  /** The simple query protocol, as psycopg2's: parameters are in the text. One at a time. Rejects with the driver's error. */
  query(sql: string): Promise<Rows>;
  /** Say goodbye to the server, and close the socket. */
  close(): Promise<void>;
}

export type Connect = (url: string) => Promise<DriverConnection>;
