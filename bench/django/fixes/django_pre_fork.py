"""gunicorn, Django: closed in the master, where it is nobody else's yet."""

from ready import post_worker_init


def pre_fork(server, worker):
    from django.db import connections

    connections.close_all()
