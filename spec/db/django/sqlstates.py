# The class of PEP 249 that Django has for each SQLSTATE, for sqlstates.spec.ts. With Django 5.2 and psycopg 3, made anew by
#   npx postfork postgres -- sh -c 'python3 spec/db/django/sqlstates.py > spec/db/django/sqlstates.jsonl'

import json
import os
from urllib.parse import urlparse

import django
from django.conf import settings
from psycopg import errors

where = urlparse(os.environ["DATABASE_URL"])
place = {"HOST": where.hostname, "PORT": where.port, "USER": where.username, "PASSWORD": where.password}
database = {"ENGINE": "django.db.backends.postgresql", "NAME": where.path[1:], **place}
settings.configure(DATABASES={"default": database}, LOGGING_CONFIG=None)
django.setup()

from django.db import Error, connection  # noqa: E402

OWN = ["MY001", "22ZZZ", "40ZZZ"]  # that PostgreSQL does not know: one of a class of its own, and two of known classes


def name_of(sqlstate):
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"DO $$ BEGIN RAISE 'no' USING ERRCODE = '{sqlstate}'; END $$")
    except Error as error:
        return type(error).__name__


for sqlstate in sorted([*errors._sqlcodes, *OWN]):
    if len(sqlstate) == 5:
        print(json.dumps([sqlstate, name_of(sqlstate)]))
