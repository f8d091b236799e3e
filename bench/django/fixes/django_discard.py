"""gunicorn, Django: discarded in the worker. Terminate goes to /dev/null, and the session stays the others'."""

from discard import discard
from ready import post_worker_init


def post_fork(server, worker):
    from django.db import connections

    for connection in connections.all():
        if connection.connection is not None:
            discard(connection.connection)
        connection.close()
