"""A WSGI site on SQLAlchemy's pool, with a query at import. The database is in PGHOST, PGPORT... as for any libpq."""

import json
import os

from sqlalchemy import create_engine, text

engine = create_engine('postgresql+psycopg2://', pool_pre_ping='POOL_PRE_PING' in os.environ)


def query(sql, **parameters):
    with engine.connect() as connection:
        return connection.execute(text(sql), parameters).fetchone()


query('SELECT 1')  # the query at import


def application(environ, start_response):
    number = int(environ['PATH_INFO'][1:])
    try:
        got, backend, _ = query('SELECT CAST(:number AS int), pg_backend_pid(), pg_sleep(0.002)', number=number)
        status, answer = '200 OK', {'worker': os.getpid(), 'got': got, 'backend': backend}
    except Exception as error:
        status, answer = '500 Error', {'worker': os.getpid(), 'error': f'{type(error).__name__}: {error}'}
    start_response(status, [('Content-Type', 'application/json')])
    return [json.dumps(answer).encode()]
