"""Requests to a site, so many at a time, and what became of them."""

import collections
import http.client
import json
from concurrent.futures import ThreadPoolExecutor

REQUESTS = 100
ANSWERS_WITHIN = 10  # s
HANGS_AT_MOST = 10  # then no more are sent


class Client(http.client.HTTPConnection):
    # HTTP/1.0: the end of the answer is the end of the connection, which comes behind request_finished. So of requests
    # one after the other the next is sent when Django has done with the last.
    _http_vsn = 10
    _http_vsn_str = 'HTTP/1.0'


class Outcome:
    """Figures of one row, and the first lines of errors with how often they came."""

    def __init__(self, port, at_a_time):
        self.port = port
        self.asked = self.failed = self.crossed = self.hung = 0
        self.errors = collections.Counter()
        self._workers, self._backends = set(), set()
        with ThreadPoolExecutor(at_a_time) as threads:
            for answer in threads.map(self._ask, range(1, REQUESTS + 1)):
                self._count(answer)

    @property
    def workers(self):
        return len(self._workers)

    @property
    def backends(self):
        return len(self._backends)

    def _ask(self, number):
        if self.hung >= HANGS_AT_MOST:
            return None
        client = Client('127.0.0.1', self.port, timeout=ANSWERS_WITHIN)
        try:
            client.request('GET', f'/{number}')
            return {'number': number, **json.loads(client.getresponse().read())}
        except TimeoutError:
            return {'hung': True}
        except (OSError, http.client.HTTPException, ValueError) as error:
            return {'error': f'no answer: {error!r}'}
        finally:
            client.close()

    def _count(self, answer):
        if answer is None:
            return
        self.asked += 1
        if 'worker' in answer:
            self._workers.add(answer['worker'])
        if 'hung' in answer:
            self.hung += 1
        elif 'error' in answer:
            self.failed += 1
            self.errors[answer['error'].splitlines()[0]] += 1
        else:
            self._backends.add(answer['backend'])
            self.crossed += answer['got'] != answer['number']
