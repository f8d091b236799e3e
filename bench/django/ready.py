"""For all configurations: each worker tells deployment.py that it has loaded the site and is about to accept."""

import os

READY = 'worker is ready\n'


def post_worker_init(worker):
    os.write(2, READY.encode())
