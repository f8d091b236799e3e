"""A site behind gunicorn, on a free port, for as long as a `with` lasts; and its pgbouncer, where it has one."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from ready import READY

HERE = Path(__file__).parent
STARTS_WITHIN = 60  # s


class NotStarted(Exception):
    pass


@contextmanager
def running(command, log, **options):
    """A program in a process group of its own. SIGKILL for all of it at the end: hung workers hear nothing else."""
    output = {'stdin': subprocess.DEVNULL, 'stdout': log, 'stderr': log}
    process = subprocess.Popen(command, **output, start_new_session=True, **options)
    try:
        yield process
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended before
        process.wait()


def read(log):
    return os.pread(log.fileno(), 1 << 20, 0).decode(errors='replace')  # the offset, which it shares, stays


def await_text(process, log, text, times=1):
    until = time.monotonic() + STARTS_WITHIN
    while read(log).count(text) < times:
        if process.poll() is not None or time.monotonic() > until:
            raise NotStarted(f'{process.args[0]} did not start:\n{read(log)}')
        time.sleep(0.02)


@contextmanager
def deployed(row):
    """Yields the port, when all workers accept."""
    with tempfile.TemporaryFile() as log, socket.create_server(('127.0.0.1', 0), backlog=128) as listening:
        gunicorn = [sys.executable, '-s', '-B', '-m', 'gunicorn', f'{row.site}:application', '--log-level', 'error']
        gunicorn += ['--config', str(HERE / 'fixes' / f'{row.fix}.py'), '--bind', f'fd://{listening.fileno()}']
        gunicorn += ['--workers', str(row.workers)]
        gunicorn += ['--max-requests', str(row.max_requests), '--max-requests-jitter', '0']
        if row.preload:
            gunicorn.append('--preload')
        environment = {**os.environ, 'PYTHONPATH': str(HERE), **row.environment}
        environment.pop('GUNICORN_CMD_ARGS', None)
        with running(gunicorn, log, env=environment, cwd=HERE, pass_fds=[listening.fileno()]) as process:
            await_text(process, log, READY, row.workers)
            yield listening.getsockname()[1]


@contextmanager
def pgbouncer():
    """Yields its port. In front of the server at PGHOST and PGPORT, a pool by session, as Debian's is."""
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix='postfork-django-') as folder, tempfile.TemporaryFile() as log:
        settings = Path(folder, 'pgbouncer.ini')
        server = ' '.join(f'{name}={os.environ["PG" + name.upper()]}' for name in ('host', 'port', 'user', 'password'))
        settings.write_text(
            f'[databases]\n* = {server}\n'
            f'[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n'
        )
        # It refuses to be root, and reads the file before it becomes another.
        command = ['pgbouncer', *(['-u', 'nobody'] if os.geteuid() == 0 else []), str(settings)]
        with running(command, log) as process:
            await_text(process, log, 'process up')
            yield port
