"""gunicorn, Django: closed in the worker. It ends the session of whoever else has it: here nobody uses it any more."""

from ready import post_worker_init


def post_fork(server, worker):
    from django.db import connections

    connections.close_all()
