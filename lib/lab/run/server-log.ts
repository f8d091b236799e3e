// Sessions, and what went wrong, as the database servers' logs tell it. Pure.

/** A session of a client with PostgreSQL, or with pgbouncer. Times: ms since 1970. */
export interface Session {
  readonly server: 'postgresql' | 'pgbouncer';
  /** PostgreSQL's process of it; of pgbouncer the client's port. */
  readonly id: number;
  /** The client's. */
  readonly port: number;
  readonly from: number;
  to: number | null;
}

export interface ServerLog {
  readonly sessions: Session[];
  /** Errors, and complaints about lost clients. */
  readonly complaints: string[];
}

/** What PostgreSQL is to be started with, so that its log can be read here. */
export const POSTGRES_LOG_SETTINGS: Readonly<Record<string, string>> = {
  log_connections: 'on',
  log_disconnections: 'on',
  log_line_prefix: '%n %p ',
};

const POSTGRES_LINE = /^(\d+\.\d+) (\d+) (LOG|ERROR|FATAL|PANIC|WARNING): {2}(.*)$/;
const COMPLAINT = /^(?:could not|unexpected EOF|invalid message|connection to client lost|terminating connection)/;

/** `database`: the one whose sessions count. */
export function readPostgresLog(text: string, database: string): ServerLog {
  const received = new Map<number, { port: number; from: number }>();
  const open = new Map<number, Session>();
  const sessions: Session[] = [];
  const complaints: string[] = [];
  for (const line of text.split('\n')) {
    const [, seconds, process, level, message = ''] = POSTGRES_LINE.exec(line) ?? [];
    const at = Number(seconds) * 1000;
    const pid = Number(process);
    if (level === undefined) continue;
    const port = /^connection received: host=\S+ port=(\d+)/.exec(message)?.[1];
    if (port !== undefined) {
      received.set(pid, { port: Number(port), from: at });
    } else if (message.startsWith('connection authorized:') && `${message} `.includes(` database=${database} `)) {
      const client = received.get(pid);
      if (client === undefined) continue;
      const session: Session = { server: 'postgresql', id: pid, ...client, to: null };
      open.set(pid, session);
      sessions.push(session);
    } else if (message.startsWith('disconnection:')) {
      const session = open.get(pid);
      if (session !== undefined) session.to = at;
    } else if (open.has(pid) && (level !== 'LOG' || COMPLAINT.test(message))) {
      complaints.push(`${level}:  ${message}`);
    }
  }
  return { sessions, complaints };
}

const PGBOUNCER_LINE = /^(\S+ \S+) UTC \[\d+\] (?:LOG|WARNING) C-\S+ \S*?@[\d.]+:(\d+) (.*)$/;

/** pgbouncer's clients. Its log has ms, and is in UTC where its process is. */
export function readPgbouncerLog(text: string): ServerLog {
  const sessions: Session[] = [];
  const complaints: string[] = [];
  for (const line of text.split('\n')) {
    const [, when = '', client, message = ''] = PGBOUNCER_LINE.exec(line) ?? [];
    if (client === undefined) continue;
    const at = Date.parse(`${when.replace(' ', 'T')}Z`);
    const port = Number(client);
    if (message.startsWith('login attempt')) {
      sessions.push({ server: 'pgbouncer', id: port, port, from: at, to: null });
    } else if (message.startsWith('closing because:')) {
      const session = sessions.findLast((known) => known.port === port && known.to === null);
      if (session !== undefined) session.to = at;
      if (!/client close request/.test(message)) complaints.push(message.replace(/ \(age=\S+\)/, ''));
    }
  }
  return { sessions, complaints };
}
