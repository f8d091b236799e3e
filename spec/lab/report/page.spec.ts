// The lab's report as a page: what it says of which figures.

import { reportHtml, reportJson } from '../../../lib/lab/report/index.ts';
import { CLOSED_UNEXPECTEDLY, cellResult, faultTimeline, labResult, thread, wholeRun } from './sample.ts';

/** The text of a piece of HTML, white space as one blank. */
function textOf(piece: string): string {
  return piece
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}

function section(page: string, id: string): string {
  const found = new RegExp(`<section id="${id}">(.*?)</section>`, 's').exec(page)?.[1];
  if (found === undefined) throw new Error(`the page has no section ${id}`);
  return found;
}

function headOf(page: string): string {
  return textOf(/<header>(.*?)<\/header>/s.exec(page)?.[1] ?? '');
}

/** The scoreboard's rows, each with its cells' texts. */
function rows(page: string): readonly (readonly string[])[] {
  return [...section(page, 'scoreboard').matchAll(/<tr[^>]*>(.*?)<\/tr>/gs)].map(([, row = '']) =>
    [...row.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell = '']) => textOf(cell)),
  );
}

describe('the headline', () => {
  test('says from the figures what was reproduced, what fixes it and what does not', () => {
    const head = headOf(reportHtml(wholeRun()));
    expect(head).toContain(
      'Reproduced: behind lighttpd, with a database connection opened at import and 4 workers forked after it, 3 of 100 requests failed (OperationalError), exactly the workers that served less one; with max-requests 1 it is 99 of 100.',
    );
    expect(head).toContain(
      'No request failed with no query at import, request_started closes or Postfork’s connections; the fork guard refuses to start; requests still failed with pgbouncer with strict close and pgbouncer with lenient close.',
    );
    expect(head).toContain('✓ The law held in 66 of 66 cells.');
  });

  test('says that the law did not hold, and where', () => {
    const broken = thread({ workers: 4 }, 5, { predicted: 3 });
    const page = reportHtml(labResult([broken, thread({ workers: 2 }, 2)]));
    expect(headOf(page)).toContain('4 of 100 requests failed (OperationalError), which is NOT what the law says (3).');
    expect(headOf(page)).toContain(
      '✗ The law held in 1 of 2 cells. It did not hold in fork/none/w4/m0 (4 failed, the law says 3).',
    );
    expect(page).toContain('class="verdict broken"');
  });

  test('says that nothing failed where nothing did, and that the fault was not tried where it was not', () => {
    expect(headOf(reportHtml(labResult([cellResult({ result: { predicted: 3 } })])))).toContain(
      'Not reproduced: behind lighttpd, with a database connection opened at import and 4 workers forked after it, 0 of 100 requests failed, which is NOT what the law says (3).',
    );
    expect(headOf(reportHtml(labResult([cellResult({ cell: { deployment: 'single', workers: 1 } })])))).toContain(
      'The fault itself was not tried',
    );
  });

  test('says what did not start, which is no refusal but the guard’s', () => {
    const refused = { requests: 0, answered: 0, refused: 'Cannot find module' };
    const cells = [cellResult({ result: refused }), cellResult({ cell: { fix: 'lazy' }, result: refused })];
    const page = reportHtml(labResult([...cells, cellResult({ cell: { fix: 'guard' }, result: refused })]));
    expect(headOf(page)).toContain('The fault itself was not tried: fork/none/w4/m0 did not start.');
    expect(headOf(page)).toContain('The fork guard refuses to start.');
    expect(headOf(page)).toContain(
      '✗ The law says nothing of the cells that were run. 2 cells did not start: fork/none/w4/m0 and fork/lazy/w4/m0.',
    );
    expect(rows(page)[2]?.slice(1)).toEqual(['⊘ did not start', '⊘ did not start', '⊘ refuses to start']);
  });

  test('has the facts of the run', () => {
    const head = headOf(reportHtml(labResult([cellResult()])));
    expect(head).toContain('Started 2026-03-01 12:30:05 UTC');
    expect(head).toContain('Took 3 min 12 s');
    expect(head).toContain('Command postfork lab --requests 100');
    expect(head).toContain('postgresql 18.1 · lighttpd 1.4.76');
  });
});

describe('the scoreboard', () => {
  test('has deployments down, fixes across, and what was not run is blank', () => {
    const cells = [
      thread({ workers: 2, maxRequests: 1 }, 100, { connects: 150, backends: 120 }),
      cellResult({ cell: { deployment: 'in-process', workers: 1 } }),
      thread({ workers: 4 }, 4, { django: 3 }),
      cellResult({ cell: { fix: 'lazy' }, result: { connects: 100 } }),
    ];
    const [columns, driver, ...body] = rows(reportHtml(labResult(cells)));
    expect(columns).toEqual([
      'Deployment',
      expect.stringMatching(/^no fix As in the thread/),
      expect.stringMatching(/^no query at import Configuration/),
    ]);
    expect(driver).toEqual([expect.stringMatching(/^pg pg that reads only/)]);
    expect(body).toEqual([
      [
        'in-process no FastCGI, no fork: mod_python’s place',
        '0 of 100 failed law: 0 ✓ equal 1.01 connects/request 101 backends',
        '',
      ],
      [
        'fork 4 workers max-requests 0',
        '3 of 100 failed law: 3 ✓ equal OperationalError: 3 1.01 connects/request 101 backends real Django: 3 of 100',
        '0 of 100 failed law: 0 ✓ equal 1 connects/request 101 backends',
      ],
      [
        'fork 2 workers max-requests 1',
        '99 of 100 failed law: 99 ✓ equal OperationalError: 99 1.5 connects/request 120 backends',
        '',
      ],
    ]);
  });

  test('marks a cell of which the law does not hold, even where nothing failed', () => {
    const [, , row] = rows(reportHtml(labResult([cellResult({ result: { predicted: 3 } })])));
    expect(row?.[1]).toMatch(/^0 of 100 failed law: 3 ✗ not equal/);
  });

  test('says where a deployment refuses to start, where there is no law, and what nobody accounts for', () => {
    const cells = [
      cellResult({ cell: { fix: 'guard' }, result: { requests: 0, answered: 0, refused: 'connections are open' } }),
      cellResult({
        cell: { concurrency: 8 },
        failures: { hang: 2, crossed: 1 },
        result: { predicted: null, answered: 95 },
      }),
      cellResult({ cell: { driver: 'pg-plain' }, failures: { death: 1 }, result: { predicted: null } }),
    ];
    const [, ...body] = rows(reportHtml(labResult(cells)));
    expect(body.map(([first]) => first)).toEqual([
      expect.stringMatching(/^pg pg that/),
      'fork 4 workers max-requests 0',
      'fork 4 workers max-requests 0 8 at a time',
      expect.stringMatching(/^pg-plain pg as it comes/),
      'fork 4 workers max-requests 0',
    ]);
    expect(body[1]?.slice(1)).toEqual(['', '⊘ refuses to start']);
    expect(body[2]?.[1]).toMatch(/^3 of 100 failed no law here crossed answers: 1 hang: 2 2 unaccounted for/);
    expect(body[4]?.[1]).toMatch(/^1 of 100 failed no law here death of the worker: 1/);
  });
});

describe('error texts', () => {
  test('are whole, line by line, with how often and where, one text of many cells once', () => {
    const page = reportHtml(labResult([thread({ workers: 2 }, 2), thread({ workers: 4 }, 4)]));
    const errors = section(page, 'errors');
    expect(errors.match(/<pre/g)).toHaveLength(1);
    expect(errors).toContain(`<pre tabindex="0">\n${CLOSED_UNEXPECTEDLY}</pre>`);
    expect(textOf(errors)).toContain('OperationalError in the page, 4 times');
    expect(textOf(errors)).toContain('in fork/none/w2/m0 , fork/none/w4/m0');
  });

  test('are the refusals too', () => {
    const guard = cellResult({ cell: { fix: 'guard' }, result: { requests: 0, refused: 'one\n  two' } });
    const errors = section(reportHtml(labResult([guard])), 'errors');
    expect(errors).toContain('<pre tabindex="0">\none\n  two</pre>');
    expect(textOf(errors)).toContain('Refused to start what it said instead, 1 time');
  });

  test('are text, whatever is in them, as everything of the result is', () => {
    const evil = `<script>alert(1)</script>&"'\u001b[31m\0`;
    const event = { at: 1, pid: 1, what: 'error' as const, connection: 1, request: 1, text: evil };
    const timeline = { ...faultTimeline(), events: [event] };
    const error = { kind: 'other', text: evil, count: 1, source: 'application' } as const;
    const cell = cellResult({ result: { errors: [error], timeline, refused: null } });
    const result = labResult([{ ...cell, cell: { ...cell.cell, id: evil } }], {
      command: evil,
      left: [evil],
      versions: { [evil]: evil },
      startedAt: evil,
    });
    const page = reportHtml(result);
    expect(page).not.toMatch(/<script/i);
    // oxlint-disable-next-line no-control-regex -- none may be there
    expect(page).not.toMatch(/[\0-\x08\x0b-\x1f\x7f]/);
    expect(section(page, 'errors')).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#39;␛[31m␀');
  });
});

describe('requests at one time', () => {
  test('what only then appears is named and explained', () => {
    const concurrent = cellResult({
      cell: { concurrency: 16 },
      failures: { OperationalError: 2, crossed: 3, hang: 1 },
      result: { predicted: null },
    });
    const text = textOf(section(reportHtml(labResult([thread({}, 4), concurrent])), 'concurrency'));
    expect(text).toContain('Only then appeared: crossed answers and hang.');
    expect(text).toContain('Two children wait for an answer on one socket: who wakes first takes what has come');
    expect(text).toContain('fork/none/w4/m0/c16 16 100 6 2 3 1');
  });

  test('without any there is no such part', () => {
    expect(reportHtml(labResult([thread({}, 4)]))).not.toContain('id="concurrency"');
  });

  test('says of no kind that it came only then where nothing was run one at a time', () => {
    const crossed = cellResult({ cell: { concurrency: 8 }, failures: { crossed: 2 }, result: { predicted: null } });
    const single = cellResult({ cell: { deployment: 'single', workers: 1 } });
    for (const cells of [[crossed], [crossed, single]]) {
      const text = textOf(section(reportHtml(labResult(cells)), 'concurrency'));
      expect(text).toContain('None of these cells was also run with one request at a time, to compare.');
      expect(text).not.toContain('Only then');
    }
  });
});

describe('the charts', () => {
  test('have the measured points, the law and real Django, in words too', () => {
    const charts = section(reportHtml(wholeRun()), 'charts');
    const [workers, maxRequests] = [...charts.matchAll(/<desc[^>]*>(.*?)<\/desc>/gs)].map(([, words]) => words);
    expect(workers).toBe(
      '2 workers: 1 of 100 failed, the law says 1. 4 workers: 3 of 100 failed, the law says 3, real Django 3 of 100. 8 workers: 7 of 100 failed, the law says 7.',
    );
    expect(maxRequests).toContain('max-requests 5: 21 of 100 failed, the law says 21, real Django 21 of 100.');
    expect(charts.match(/class="point measured"/g)).toHaveLength(6);
    expect(charts.match(/class="point django"/g)).toHaveLength(4);
    expect(charts.match(/class="law" d="M[\d. ]+L/g)).toHaveLength(2);
    expect(charts.match(/class="point fix"/g)).toHaveLength(18);
    expect(charts.match(/class="point fix failing"/g)).toHaveLength(12);
  });

  test('the law is a straight line over the workers, whatever was measured', () => {
    const cells = [2, 4].map((workers) => thread({ workers }, 10, { predicted: workers - 1 }));
    const charts = section(reportHtml(labResult(cells)), 'charts');
    const [, x1, y1, x2, y2] = /class="law" d="M([\d.]+) ([\d.]+) L([\d.]+) ([\d.]+) "/.exec(charts)?.map(Number) ?? [];
    const points = [...charts.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)];
    expect([x1, y1, x2, y2].every(Number.isFinite)).toBe(true);
    // Nine failed where the line has one and three: the points stand above it.
    for (const [, x, y] of points) {
      const onLine = Number(y1) + ((Number(x) - Number(x1)) / (Number(x2) - Number(x1))) * (Number(y2) - Number(y1));
      expect(Number(y)).toBeLessThan(onLine - 20);
    }
    expect(points).toHaveLength(2);
  });

  test('are not drawn of one point', () => {
    expect(textOf(section(reportHtml(labResult([thread({}, 4)])), 'charts'))).toBe(
      'The law, drawn A chart takes fork without a fix at two numbers of workers or max-requests, one request at a time.',
    );
  });
});

describe('the rest', () => {
  test('an empty run makes a page that says so', () => {
    const page = reportHtml(labResult([], { left: [], versions: {} }));
    expect(textOf(section(page, 'scoreboard'))).toBe('Scoreboard No cell was run.');
    expect(textOf(section(page, 'pictures'))).toBe(
      'Who held which connection No cell of this run has kept its first requests.',
    );
    expect(textOf(section(page, 'errors'))).toBe('Every error text No error was seen.');
    expect(textOf(section(page, 'left'))).toBe('Left out Nothing was left out.');
    expect(headOf(page)).toContain('The law says nothing of the cells that were run.');
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
  });

  test('tells how to run it again, and what was left out and why', () => {
    const page = reportHtml(wholeRun());
    expect(section(page, 'again')).toContain('postfork lab --only fork/none/w4/m0 --keep');
    const odd = thread({ workers: 3, maxRequests: 7, concurrency: 2 }, 4, { predicted: null });
    expect(section(reportHtml(labResult([odd], { webServer: 'nginx' })), 'again')).toContain(
      'postfork lab --only fork/none/w3/m7/c2 --workers 3 --max-requests 7 --concurrency 2 --web-server nginx --keep',
    );
    expect(section(page, 'again')).toContain('scripts/reproduce');
    expect(textOf(section(page, 'left'))).toBe('Left out pg-native: it is not installed: npm install pg-native');
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
  });

  test('reportJson is the result and a line feed', () => {
    const text = reportJson(wholeRun());
    expect(JSON.parse(text)).toEqual(wholeRun());
    expect(text.endsWith('}\n')).toBe(true);
  });
});
