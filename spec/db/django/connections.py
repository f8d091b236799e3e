# What becomes of Django's database connection over sequences of requests, for connections.spec.ts. With Django 5.2 and psycopg 3, made anew by
#   npx postfork postgres -- sh -c 'python3 spec/db/django/connections.py > spec/db/django/connections.jsonl'

import json
import logging
import os
import random
import time
from urllib.parse import urlparse

import django
import psycopg
from django.conf import settings

SEQUENCES = 40
URL = os.environ["DATABASE_URL"]
OURS = "FROM pg_stat_activity WHERE application_name = 'django'"
SQL = {"read": "SELECT 1", "duplicate": "INSERT INTO notes VALUES (0)", "syntax": "SELEKT", "data": "SELECT 1 / 0"}

where = urlparse(URL)
place = {"HOST": where.hostname, "PORT": where.port, "USER": where.username, "PASSWORD": where.password}
options = {"OPTIONS": {"application_name": "django"}}
database = {"ENGINE": "django.db.backends.postgresql", "NAME": where.path[1:], **place, **options}
settings.configure(DATABASES={"default": database}, LOGGING_CONFIG=None)
django.setup()
logging.disable(logging.CRITICAL)

from django.core.signals import request_finished, request_started  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.backends.signals import connection_created  # noqa: E402


class Raised(Exception):
    """The application's own."""


def sequence(seed):
    """Requests, each a list of what it does. `killed`: their backends are terminated in between, which health checks find."""
    choice = random.Random(seed)
    checks = choice.random() < 0.5
    steps = []
    for _ in range(choice.randint(3, 6)):
        if checks and steps and choice.random() < 0.25:
            steps.append("killed")
        does = ["read", "duplicate", "syntax", "data", "atomic", "rollback", "raise"]
        steps.append(choice.choices(does, [6, 2, 2, 1, 2, 2, 1], k=choice.choice([0, 1, 1, 2, 3])))
    return {"age": choice.choice([0, None]), "checks": checks, "steps": steps}


def query(text):
    with connection.cursor() as cursor:
        cursor.execute(text)


def act(what):
    if what == "raise":
        raise Raised()
    if what in SQL:
        return query(SQL[what])
    with transaction.atomic():
        query("SELECT 1")
        if what == "rollback":
            raise Raised()


def request(does):
    """The errors in it. Those of the last step are the request's own."""
    request_started.send(sender=None)
    errors = []
    for what in does:
        try:
            act(what)
        except Exception as error:
            errors.append(f"{what} {type(error).__name__}")
    request_finished.send(sender=None)
    return errors


def backends(observer):
    """How many the server has, once it knows of a close."""
    while (count := observer.execute(f"SELECT count(*) {OURS}").fetchone()[0]) > int(connection.connection is not None):
        time.sleep(0.001)
    return count


def main():
    observer = psycopg.connect(URL, autocommit=True)
    observer.execute("CREATE TABLE notes (id int PRIMARY KEY)")
    observer.execute("INSERT INTO notes VALUES (0)")
    opened = 0

    def count(**_):
        nonlocal opened
        opened += 1

    connection_created.connect(count)
    for seed in range(SEQUENCES):
        one = sequence(seed)
        connection.settings_dict["CONN_MAX_AGE"] = one["age"]
        connection.settings_dict["CONN_HEALTH_CHECKS"] = one["checks"]
        opened = 0
        after = []
        for step in one["steps"]:
            if step == "killed":
                observer.execute(f"SELECT pg_terminate_backend(pid, 5000) {OURS}")
                continue
            errors = request(step)
            after.append({"errors": errors, "kept": backends(observer), "opened": opened})
        connection.close()
        backends(observer)
        print(json.dumps({**one, "after": after}))


main()
