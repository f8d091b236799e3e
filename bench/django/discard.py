"""To discard: close the descriptor and say nothing to the server. psycopg2 knows only close()."""

import os


def discard(connection):
    with open(os.devnull, 'r+b', buffering=0) as nothing:
        os.dup2(nothing.fileno(), connection.fileno())
    connection.close()
