"""A Django site in one file, with a query at import. The database is in PGHOST, PGPORT... as for any libpq."""

import os

import django
from django import db
from django.conf import settings
from django.core import signals
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=['*'],
    ROOT_URLCONF=__name__,
    SECRET_KEY='not a secret',
    LOGGING_CONFIG=None,
    DATABASES={
        'default': {
            'ENGINE': 'django.db.backends.postgresql',
            'NAME': os.environ['PGDATABASE'],
            'CONN_MAX_AGE': int(os.environ.get('CONN_MAX_AGE', '0')),
            'CONN_HEALTH_CHECKS': 'CONN_HEALTH_CHECKS' in os.environ,
        }
    },
)
django.setup()

if os.environ.get('DJANGO_CLOSES') == '2009':  # as in 1.1.1: at request_finished and nowhere else
    signals.request_started.disconnect(db.close_old_connections)
    signals.request_finished.disconnect(db.close_old_connections)
    signals.request_finished.connect(lambda **_: db.connection.close(), weak=False)


def query(sql, *parameters):
    with db.connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()


query('SELECT 1')  # the query at import


def page(request, number):
    try:
        got, backend, _ = query('SELECT %s::int, pg_backend_pid(), pg_sleep(0.002)', number)
        return JsonResponse({'worker': os.getpid(), 'got': got, 'backend': backend})
    except Exception as error:
        return JsonResponse({'worker': os.getpid(), 'error': f'{type(error).__name__}: {error}'}, status=500)


urlpatterns = [path('<int:number>', page)]
application = get_wsgi_application()
