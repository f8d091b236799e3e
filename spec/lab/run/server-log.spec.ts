// Sessions and complaints, read from lines that PostgreSQL 18.4 and pgbouncer 1.18 have written.

import { LogText } from '../../../lib/lab/run/log-text.ts';
import { readPgbouncerLog, readPostgresLog } from '../../../lib/lab/run/server-log.ts';

const POSTGRES = `1795407831.942 16859 LOG:  listening on IPv4 address "127.0.0.1", port 26782
1795407831.945 16865 LOG:  database system was shut down at 2026-11-23 04:23:51 UTC
1795407831.947 16859 LOG:  database system is ready to accept connections
1795407831.960 16872 LOG:  connection received: host=127.0.0.1 port=52712
1795407831.968 16872 LOG:  connection authenticated: identity="postgres" method=scram-sha-256 (/tmp/postfork-GI2Qgg/data/pg_hba.conf:119)
1795407831.968 16872 LOG:  connection authorized: user=postgres database=site
1795407831.975 16872 ERROR:  column "nope" does not exist at character 8
1795407831.975 16872 STATEMENT:  SELECT nope
1795407831.977 16873 LOG:  connection received: host=127.0.0.1 port=52714
1795407831.981 16873 LOG:  connection authenticated: identity="postgres" method=scram-sha-256 (/tmp/postfork-GI2Qgg/data/pg_hba.conf:119)
1795407831.981 16873 LOG:  connection authorized: user=postgres database=postgres
1795407831.987 16874 LOG:  connection received: host=127.0.0.1 port=52730
1795407831.991 16874 LOG:  connection authenticated: identity="postgres" method=scram-sha-256 (/tmp/postfork-GI2Qgg/data/pg_hba.conf:119)
1795407831.991 16874 LOG:  connection authorized: user=postgres database=site application_name=postfork
1795407831.995 16874 FATAL:  terminating connection due to administrator command
1795407831.995 16874 LOG:  disconnection: session time: 0:00:00.007 user=postgres database=site host=127.0.0.1 port=52730
1795407831.996 16873 ERROR:  canceling statement due to user request
1795407831.997 16872 LOG:  could not receive data from client: Connection reset by peer
1795407831.997 16872 LOG:  disconnection: session time: 0:00:00.036 user=postgres database=site host=127.0.0.1 port=52712
1795407832.337 16878 LOG:  connection received: host=127.0.0.1 port=52746
1795407832.341 16878 LOG:  connection authenticated: identity="postgres" method=scram-sha-256 (/tmp/postfork-GI2Qgg/data/pg_hba.conf:119)
1795407832.341 16878 LOG:  connection authorized: user=postgres database=nosuch
1795407832.341 16878 FATAL:  database "nosuch" does not exist
1795407832.345 16879 LOG:  connection received: host=127.0.0.1 port=52750
1795407832.348 16879 LOG:  connection authorized: user=postgres database=site
`;
const FOUND = {
  sessions: [
    { server: 'postgresql', id: 16872, port: 52712, from: 1795407831960, to: 1795407831997 },
    { server: 'postgresql', id: 16874, port: 52730, from: 1795407831987, to: 1795407831995 },
    { server: 'postgresql', id: 16879, port: 52750, from: 1795407832345, to: null },
  ],
  complaints: [
    'ERROR:  column "nope" does not exist at character 8',
    'FATAL:  terminating connection due to administrator command',
    'LOG:  could not receive data from client: Connection reset by peer',
  ],
};

describe('PostgreSQL', () => {
  test('sessions of the database, with the client’s port, from its connection to its end or without one', () => {
    expect(readPostgresLog(POSTGRES, 'site')).toEqual(FOUND);
  });

  test('of another database', () => {
    expect(readPostgresLog(POSTGRES, 'postgres')).toEqual({
      sessions: [{ server: 'postgresql', id: 16873, port: 52714, from: 1795407831977, to: null }],
      complaints: ['ERROR:  canceling statement due to user request'],
    });
    expect(readPostgresLog(POSTGRES, 'sit')).toEqual({ sessions: [], complaints: [] });
  });

  test('the end of a session that has begun before the text is nobody’s', () => {
    const later = POSTGRES.slice(POSTGRES.indexOf('1795407831.975'));
    expect(readPostgresLog(later, 'site').sessions.map(({ id }) => id)).toEqual([16874, 16879]);
  });

  test('a process number that comes again is another session', () => {
    const again = POSTGRES + POSTGRES.replaceAll('17954078', '17954079');
    expect(readPostgresLog(again, 'site').sessions.filter(({ id }) => id === 16872)).toEqual([
      { server: 'postgresql', id: 16872, port: 52712, from: 1795407831960, to: 1795407831997 },
      { server: 'postgresql', id: 16872, port: 52712, from: 1795407931960, to: 1795407931997 },
    ]);
  });

  test('lines that come in pieces, cut anywhere, are whole lines', () => {
    for (let at = 1; at < POSTGRES.length; at += 1) {
      const log = new LogText();
      log.add(POSTGRES.slice(0, at));
      log.add(POSTGRES.slice(at));
      expect(log.since(0)).toBe(POSTGRES);
    }
    const cut = POSTGRES.indexOf('authorized: user=postgres database=site');
    const log = new LogText();
    for (const piece of [POSTGRES.slice(0, cut), POSTGRES.slice(cut)]) log.add(piece);
    expect(readPostgresLog(log.since(0), 'site')).toEqual(FOUND);
  });

  test('a log since a moment is what has come later', () => {
    const log = new LogText();
    log.add('one\n');
    const mark = log.length;
    expect(log.since(mark)).toBe('');
    log.add('two\n');
    log.add('three\n');
    expect([log.since(mark), log.since(mark), log.since(0)]).toEqual([
      'two\nthree\n',
      'two\nthree\n',
      'one\ntwo\nthree\n',
    ]);
  });
});

const PGBOUNCER = `2026-11-23 04:23:51.957 UTC [16870] LOG listening on 127.0.0.1:20856
2026-11-23 04:23:51.957 UTC [16870] LOG process up: PgBouncer 1.18.0, libevent 2.1.12-stable (epoll), adns: c-ares 1.18.1, tls: OpenSSL 3.0.19 27 Jan 2026
2026-11-23 04:23:51.998 UTC [16870] LOG C-0x560f9a5023b0: (nodb)/(nouser)@127.0.0.1:45500 registered new auto-database: db=site
2026-11-23 04:23:51.998 UTC [16870] LOG C-0x560f9a5023b0: site/postgres@127.0.0.1:45500 login attempt: db=site user=postgres tls=no
2026-11-23 04:23:52.004 UTC [16870] LOG S-0x560f9a509a90: site/postgres@127.0.0.1:26782 new connection to server (from 127.0.0.1:52738)
2026-11-23 04:23:52.013 UTC [16870] LOG C-0x560f9a502610: site/postgres@127.0.0.1:45510 login attempt: db=site user=postgres tls=no
2026-11-23 04:23:52.019 UTC [16870] LOG S-0x560f9a509cf0: site/postgres@127.0.0.1:26782 new connection to server (from 127.0.0.1:52744)
2026-11-23 04:23:52.026 UTC [16870] LOG C-0x560f9a502610: site/postgres@127.0.0.1:45510 closing because: client unexpected eof (age=0s)
2026-11-23 04:23:52.026 UTC [16870] LOG C-0x560f9a5023b0: site/postgres@127.0.0.1:45500 closing because: client close request (age=0s)
2026-11-23 04:23:52.027 UTC [16870] LOG C-0x560f9a5023b0: site/postgres@127.0.0.1:45522 login attempt: db=site user=postgres tls=no
2026-11-23 04:23:52.033 UTC [16870] ERROR C-0x560f9a5023b0: site/postgres@127.0.0.1:45522 unknown pkt from client: 103/0x67
2026-11-23 04:23:52.033 UTC [16870] LOG C-0x560f9a5023b0: site/postgres@127.0.0.1:45522 closing because: unknown pkt (age=0s)
2026-11-23 04:23:52.033 UTC [16870] WARNING C-0x560f9a5023b0: site/postgres@127.0.0.1:45522 pooler error: unknown pkt
2026-11-23 04:23:52.350 UTC [16870] LOG C-0x560f9a5023b0: site/postgres@127.0.0.1:45528 login attempt: db=site user=postgres tls=no
`;

describe('pgbouncer', () => {
  test('its clients by their ports, ms in UTC, and why it closed them where they did not ask for it', () => {
    const day = Date.UTC(2026, 10, 23, 4, 23);
    expect(readPgbouncerLog(PGBOUNCER)).toEqual({
      sessions: [
        { server: 'pgbouncer', id: 45500, port: 45500, from: day + 51_998, to: day + 52_026 },
        { server: 'pgbouncer', id: 45510, port: 45510, from: day + 52_013, to: day + 52_026 },
        { server: 'pgbouncer', id: 45522, port: 45522, from: day + 52_027, to: day + 52_033 },
        { server: 'pgbouncer', id: 45528, port: 45528, from: day + 52_350, to: null },
      ],
      complaints: ['closing because: client unexpected eof', 'closing because: unknown pkt'],
    });
  });

  test('a port that comes again is another session', () => {
    const again = PGBOUNCER + PGBOUNCER.replaceAll('04:23:5', '04:24:5');
    const { sessions } = readPgbouncerLog(again);
    const day = Date.UTC(2026, 10, 23, 4, 23);
    expect(sessions.filter(({ port }) => port === 45500).map(({ to }) => to)).toEqual([day + 52_026, day + 112_026]);
  });
});

test('nothing is made of nothing', () => {
  expect(readPostgresLog('', 'site')).toEqual({ sessions: [], complaints: [] });
  expect(readPgbouncerLog('half a li')).toEqual({ sessions: [], complaints: [] });
});
