"""gunicorn: no fix."""

from ready import post_worker_init
