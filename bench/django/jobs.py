"""A child that inherits a connection which its parent goes on using, as a job's does. It ends as a program does."""

import os
import sys

import psycopg2
from discard import discard
from sqlalchemy import create_engine, text


def child(act, *arguments):
    """Forks, acts in the child, which then ends as any program, with its destructors; waits for it."""
    if os.fork() == 0:
        act(*arguments)
        sys.exit(0)
    os.wait()


def report(name, query):
    try:
        became = query()
    except Exception as error:
        became = f'{type(error).__name__}: {str(error).splitlines()[0]}'
    print(f'{name:<58}  {became}', flush=True)


def works(execute, statement):
    execute(statement)
    return 'works'


def left_by_child(name, act):
    connection = psycopg2.connect('')
    connection.autocommit = True
    child(act, connection)
    report(f'psycopg2: {name}', lambda: works(connection.cursor().execute, 'SELECT 1'))


def left_by_dispose(**options):
    engine = create_engine('postgresql+psycopg2://')
    engine.connect().close()  # one in the pool
    child(lambda: engine.dispose(**options))
    given = ', '.join(f'{name}={value}' for name, value in options.items())

    def query():
        with engine.connect() as connection:
            return works(connection.execute, text('SELECT 1'))

    report(f'SQLAlchemy: dispose({given})', query)


def left_uncommitted(ending):
    connection = psycopg2.connect('')
    cursor = connection.cursor()
    cursor.execute('DROP TABLE IF EXISTS paid; CREATE TABLE paid (name text); COMMIT')
    child(cursor.execute, "BEGIN; INSERT INTO paid VALUES ('child')")

    def query():
        cursor.execute(ending)
        cursor.execute('SELECT count(*) FROM paid')
        return f'{cursor.fetchone()[0]} of its rows are there'

    report(f'psycopg2: INSERT without COMMIT; {ending} in the parent', query)


print(f'{"what a child does, and ends":<58}  the parent\'s next query\n{"-" * 58}  {"-" * 23}', flush=True)
left_by_child('nothing', lambda connection: None)
left_by_child('close()', lambda connection: connection.close())
left_by_child('close(), its descriptor being /dev/null', discard)
left_by_dispose()
left_by_dispose(close=False)
left_uncommitted('COMMIT')
left_uncommitted('ROLLBACK')
