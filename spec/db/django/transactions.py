# What Django does with small programs of transactions, for transactions.spec.ts. With Django 5.2 and psycopg 3, made anew by
#   npx postfork postgres -- sh -c 'python3 spec/db/django/transactions.py > spec/db/django/transactions.jsonl'
#
# Two things are done otherwise here than in Django by default (docs/databases.md, "For those who know Django"): hooks are robust, and a
# block whose statement has failed, and whose error was caught, raises TransactionAborted at its end instead of a silent ROLLBACK.

import json
import logging
import os
import random
from urllib.parse import urlparse

import django
import psycopg
from django.conf import settings

PROGRAMS = 160
SEED = 2
URL = os.environ["DATABASE_URL"]
SQL = {
    "duplicate": "INSERT INTO notes VALUES (0)",
    "syntax": "SELEKT",
    "data": "SELECT 1 / 0",
    "later": "INSERT INTO later VALUES (0)",  # a duplicate, that COMMIT finds
    "check": "SET CONSTRAINTS ALL IMMEDIATE",
    "lost": "SELECT pg_terminate_backend(pg_backend_pid())",
}

where = urlparse(URL)
place = {"HOST": where.hostname, "PORT": where.port, "USER": where.username, "PASSWORD": where.password}
database = {"ENGINE": "django.db.backends.postgresql", "NAME": where.path[1:], **place}
settings.configure(DATABASES={"default": database}, LOGGING_CONFIG=None)
django.setup()
logging.disable(logging.CRITICAL)

from django.db import ProgrammingError, connection, transaction  # noqa: E402


class Raised(Exception):
    """The application's own."""


class TransactionAborted(ProgrammingError):
    pass


class Block(transaction.Atomic):
    def __init__(self):
        super().__init__(using=None, savepoint=True, durable=False)

    def __exit__(self, kind, error, traceback):
        failed = connection.connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        if kind is not None or not failed:
            return super().__exit__(kind, error, traceback)
        aborted = TransactionAborted()
        super().__exit__(TransactionAborted, aborted, None)
        raise aborted


class Generator:
    """A program is a list of steps: [operation], with a number, a name or steps within."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.left = self.random.randint(5, 16)
        self.notes = self.hooks = 0

    def program(self):
        return self.steps(0, 0, self.random.randint(2, 5))

    def steps(self, depth, hooks, most):
        steps = []
        while len(steps) < most and self.left > 0:
            steps.append(self.step(depth, hooks))
        return steps

    def step(self, depth, hooks):
        self.left -= 1
        weights = {"insert": 26, "raise": 6, "duplicate": 6, "later": 4, "read": 4, "syntax": 2, "data": 1, "check": 2}
        if hooks < 3:
            weights["hook"] = 14
        if depth < 6:
            weights |= {"atomic": 22, "try": 13}
        if depth > 0:
            weights["lost"] = 1
        operation = self.random.choices(list(weights), weights.values())[0]
        if operation == "insert":
            self.notes += 1
            return ["insert", self.notes]
        if operation == "hook":
            self.hooks += 1
            return ["hook", f"h{self.hooks}", self.steps(0, hooks + 1, self.random.randint(0, 3))]
        if operation in ("atomic", "try"):
            return [operation, self.steps(depth + (operation == "atomic"), hooks, self.random.randint(1, 4))]
        return [operation]


class Run:
    """One program on Django; `trace` has what happened in it, and what another connection saw then."""

    def __init__(self, observer):
        self.observer = observer
        self.trace = []
        self.seen = None

    def tell(self, what):
        self.trace.append(what)
        rows = self.observer.execute("SELECT array(SELECT id FROM notes ORDER BY id), (SELECT count(*) FROM later)")
        notes, later = rows.fetchone()
        seen = f"seen {json.dumps(notes)} {later}"
        if seen != self.seen:
            self.trace.append(seen)
        self.seen = seen

    def query(self, text):
        with connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall() if cursor.description else []

    def steps(self, steps, path):
        for number, step in enumerate(steps):
            self.step(step, f"{path}.{number}")

    def step(self, step, path):
        operation = step[0]
        if operation == "insert":
            self.query(f"INSERT INTO notes VALUES ({step[1]})")
        elif operation == "read":
            notes = self.query("SELECT array(SELECT id FROM notes ORDER BY id)")[0][0]
            return self.tell(f"{path} read {json.dumps(notes)}")
        elif operation == "raise":
            raise Raised()
        elif operation == "hook":
            transaction.on_commit(lambda: self.hook(step[1], step[2]), robust=True)
        elif operation == "atomic":
            try:
                with Block():
                    self.steps(step[1], path)
            except Exception as error:
                self.tell(f"{path} out {type(error).__name__}")
                raise
        elif operation == "try":
            try:
                self.steps(step[1], path)
            except Exception as error:
                return self.tell(f"{path} caught {type(error).__name__}")
        else:
            self.query(SQL[operation])
        self.tell(f"{path} {operation}")

    def hook(self, name, steps):
        self.tell(f"{name} in a transaction: {json.dumps(connection.in_atomic_block)}")
        try:
            self.steps(steps, name)
        except Exception as error:
            self.tell(f"{name} raises {type(error).__name__}")
            raise
        self.tell(f"{name} done")

    def whole(self, steps):
        try:
            self.steps(steps, "")
        except Exception as error:
            self.tell(f"out {type(error).__name__}")
        return self.trace


def main():
    observer = psycopg.connect(URL, autocommit=True)
    observer.execute("CREATE TABLE notes (id int PRIMARY KEY)")
    observer.execute("CREATE TABLE later (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    for number in range(PROGRAMS):
        observer.execute("TRUNCATE notes, later")
        observer.execute("INSERT INTO notes VALUES (0)")
        observer.execute("INSERT INTO later VALUES (0)")
        program = Generator(SEED * PROGRAMS + number).program()
        trace = Run(observer).whole(program)
        connection.close()
        print(json.dumps({"program": program, "trace": trace}))


main()
