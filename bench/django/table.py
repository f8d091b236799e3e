"""What bench/django/run does when there is a DATABASE_URL: deploy each row, ask it, print the table."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit

import django
import gunicorn
import psycopg2
import sqlalchemy
from asking import REQUESTS, Outcome
from deployment import HERE, NotStarted, deployed, pgbouncer

COLUMNS = ('failed', 'crossed', 'hung', 'workers', 'backends')


@dataclass(frozen=True)
class Row:
    name: str
    site: str = 'django_site'
    environment: dict = field(default_factory=dict)
    fix: str = 'none'  # a file of fixes/
    workers: int = 4
    max_requests: int = 0
    at_a_time: int = 1
    preload: bool = True
    pgbouncer: bool = False


def rows():
    of_2009 = {'environment': {'DJANGO_CLOSES': '2009'}}
    yield Row('Django as of 2009', **of_2009)
    yield Row('Django as of 2009, --max-requests 5', max_requests=5, **of_2009)
    yield Row('Django as of 2009, --max-requests 1', max_requests=1, **of_2009)
    yield Row('Django as of 2009, 2 workers', workers=2, **of_2009)
    yield Row('Django as of 2009, 8 workers', workers=8, **of_2009)
    yield Row('Django as of 2009, no --preload', preload=False, **of_2009)
    yield Row('Django as of 2009, pre_fork close_all', fix='django_pre_fork', **of_2009)
    yield Row('Django as of 2009, pgbouncer', pgbouncer=True, **of_2009)

    yield Row('Django, CONN_MAX_AGE 0')
    yield Row('Django, CONN_MAX_AGE 0, 8 at a time', at_a_time=8)

    kept = {'environment': {'CONN_MAX_AGE': '60'}}
    yield Row('Django, CONN_MAX_AGE 60', **kept)
    kept['at_a_time'] = 8
    yield Row('Django, CONN_MAX_AGE 60, 8 at a time', **kept)
    yield Row('Django, CONN_MAX_AGE 60, 8 at a time, pgbouncer', pgbouncer=True, **kept)
    yield Row('Django, CONN_MAX_AGE 60, 8 at a time, pre_fork close_all', fix='django_pre_fork', **kept)
    yield Row('Django, CONN_MAX_AGE 60, 8 at a time, post_fork close_all', fix='django_post_fork', **kept)
    yield Row('Django, CONN_MAX_AGE 60, 8 at a time, post_fork /dev/null', fix='django_discard', **kept)
    if django.VERSION >= (4, 1):
        kept['environment'] = {**kept['environment'], 'CONN_HEALTH_CHECKS': '1'}
        yield Row('Django, CONN_MAX_AGE 60, 8 at a time, CONN_HEALTH_CHECKS', **kept)

    alchemy = {'site': 'sqlalchemy_site', 'at_a_time': 8}
    yield Row('SQLAlchemy, 8 at a time', **alchemy)
    yield Row('SQLAlchemy, 8 at a time, pool_pre_ping', environment={'POOL_PRE_PING': '1'}, **alchemy)
    yield Row('SQLAlchemy, 8 at a time, post_fork dispose(close=False)', fix='sqlalchemy_post_fork', **alchemy)
    yield Row('SQLAlchemy, 8 at a time, pre_fork dispose()', fix='sqlalchemy_pre_fork', **alchemy)


def say(text):
    print(text, file=sys.stderr, flush=True)


def outcome(row):
    with ExitStack() as stack:
        if row.pgbouncer:
            port = stack.enter_context(pgbouncer())
            row = replace(row, environment={**row.environment, 'PGPORT': str(port)})
        found = Outcome(stack.enter_context(deployed(row)), row.at_a_time)
    say(f'{row.name}: {found.asked} asked')
    for text, times in found.errors.most_common():
        say(f'  {times} {text}')
    return found


def between(figures):
    least, most = min(figures), max(figures)
    return str(least) if least == most else f'{least}-{most}'


def line(row, rounds):
    asked = between([found.asked for found in rounds])
    name = row.name if asked == str(REQUESTS) else f'{row.name} ({asked} asked)'
    return [name, *(between([getattr(found, column) for found in rounds]) for column in COLUMNS)]


def print_table(head, lines):
    widths = [max(len(cells[column]) for cells in [head, *lines]) for column in range(len(head))]
    for first, *others in [head, ['-' * width for width in widths], *lines]:
        print(first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:])), sep='  ')
    print()


def use_database(url):
    parts = urlsplit(url)
    os.environ.update(PGHOST=parts.hostname, PGPORT=str(parts.port), PGDATABASE=parts.path[1:])
    os.environ.update(PGUSER=unquote(parts.username), PGPASSWORD=unquote(parts.password or ''))


def versions():
    of_psycopg2 = psycopg2.__version__.split()[0]  # behind it: how it was built
    of_alchemy = sqlalchemy.__version__
    first = f'Django {django.get_version()}, psycopg2 {of_psycopg2}'
    return f'{first}, gunicorn {gunicorn.__version__}, SQLAlchemy {of_alchemy}'


def keep():
    row = next(rows())
    with deployed(row) as port:
        print(f'{row.name}: curl http://127.0.0.1:{port}/1')
        print(f"its processes: pgrep -f 'gunicorn {row.site}'")
        print(f"its connections: ss -tnp 'dport = :{os.environ['PGPORT']}'")
        print('Ctrl-C ends it', flush=True)
        signal.pause()


def show(only, times):
    wanted = [row for row in rows() if only in row.name]
    if not wanted:
        sys.exit(f'no row has "{only}" in its name')
    if shutil.which('pgbouncer') is None:
        say('pgbouncer is not installed, its rows are left out: apt-get install pgbouncer')
        wanted = [row for row in wanted if not row.pgbouncer]
    rounds = [[outcome(row) for row in wanted] for _ in range(times)]
    print(versions())
    print(f'4 workers, {REQUESTS} requests one after the other, --preload, where nothing else is said\n')
    print_table([f'{times} x' if times > 1 else '', *COLUMNS], [line(*pair) for pair in zip(wanted, zip(*rounds))])
    if only == '':
        sys.stdout.flush()
        subprocess.run([sys.executable, '-s', '-B', HERE / 'jobs.py'], check=True)


def main():
    parser = argparse.ArgumentParser(prog='bench/django/run')
    parser.add_argument('--only', default='')
    parser.add_argument('--times', type=int, default=1)
    parser.add_argument('--keep', action='store_true')
    flags = parser.parse_args()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda *_: sys.exit(1))  # so that every `with` ends
    use_database(os.environ['DATABASE_URL'])
    try:
        if flags.keep:
            keep()
        else:
            show(flags.only, max(1, flags.times))
    except KeyboardInterrupt:
        sys.exit(130)
    except NotStarted as error:
        say(error)
        sys.exit(1)


main()
