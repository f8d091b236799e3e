"""gunicorn, SQLAlchemy 1.4.33 and later: discarded in the worker."""

from ready import post_worker_init


def post_fork(server, worker):
    from sqlalchemy_site import engine

    engine.dispose(close=False)
