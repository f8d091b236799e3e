// The report's style: dark and light, for screens of any width and for paper.

// Colors 0 to 7 are the connections'; text on them is --on-bar. Each is told apart by a number too.
export const STYLE = `
  :root {
    color-scheme: light dark;
    --text: #1b2330; --dim: #596375; --line: #d9dee6; --paper: #fff; --panel: #f5f7fa; --accent: #1f5fbf;
    --good: #157347; --good-back: #eaf6ef; --bad: #b3261e; --bad-back: #fdecea; --quiet-back: #eef0f4;
    --lane: #f3f5f9; --server: #e9edf4; --request: #1b233014; --on-bar: #fff;
    --c0: #1f5fbf; --c1: #a3420a; --c2: #0f766e; --c3: #8b2fa8; --c4: #4d6b0f; --c5: #ad1f5c; --c6: #0b6b94; --c7: #6b4f1d; --none: #6b7585;
  }
  @media screen and (prefers-color-scheme: dark) {
    :root {
      --text: #e5e9f0; --dim: #9ba6b7; --line: #333c4a; --paper: #12161d; --panel: #1a202a; --accent: #8ab8ff;
      --good: #5fce93; --good-back: #14291f; --bad: #ff8f85; --bad-back: #331a19; --quiet-back: #222936;
      --lane: #171d26; --server: #1f2733; --request: #e5e9f018; --on-bar: #0c1118;
      --c0: #7fb2ff; --c1: #ffab70; --c2: #4fd1c0; --c3: #d79bf0; --c4: #b5d35c; --c5: #ff8fbd; --c6: #5cc8f2; --c7: #d9b878; --none: #8793a5;
    }
  }
  * { box-sizing: border-box }
  body { margin: 0; font: 16px/1.5 system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; color: var(--text); background: var(--paper) }
  header, main { max-width: 84rem; margin: 0 auto; padding: 0 1.25rem }
  header { padding-top: 1.5rem } main { padding-bottom: 4rem }
  h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .8rem; letter-spacing: -.01em } header > .dim { margin: 0 }
  h2 { font-size: 1.25rem; margin: 3rem 0 .8rem; padding-top: .8rem; border-top: 1px solid var(--line) }
  h3 { font-size: 1rem; margin: 0 } h3 code, h3 small { font-weight: 400; color: var(--dim); margin-left: .5rem }
  p { margin: .6rem 0; max-width: 52rem } .headline { font-size: 1.12rem; max-width: 60rem } .dim, small { color: var(--dim) }
  code, pre { font-family: ui-monospace, 'SF Mono', Menlo, 'DejaVu Sans Mono', monospace; font-size: .875em }
  code { overflow-wrap: anywhere }
  pre { background: var(--panel); border: 1px solid var(--line); border-radius: .4rem; padding: .7rem .9rem; margin: .5rem 0; overflow-x: auto }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
  .verdict { border-left: 4px solid var(--line); padding: .5rem .9rem; background: var(--quiet-back); border-radius: .2rem; max-width: 60rem; overflow-wrap: anywhere }
  .verdict.held { border-color: var(--good); background: var(--good-back) } .verdict.held b { color: var(--good) }
  .verdict.broken { border-color: var(--bad); background: var(--bad-back); font-size: 1.12rem } .verdict.broken b { color: var(--bad) }
  .facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(12rem, 1fr)); gap: .1rem 2rem; margin: 1.2rem 0 0 }
  .facts div { border-top: 1px solid var(--line); padding: .4rem 0 } .facts .wide { grid-column: 1 / -1 }
  dt { color: var(--dim); font-size: .85rem } dd { margin: 0 } .facts dd span { white-space: nowrap }
  .kinds { max-width: 52rem } .kinds dt { color: var(--text); font-weight: 600; font-size: 1rem; margin-top: .5rem }

  .scroll { overflow-x: auto; max-width: 100% }
  table { border-collapse: separate; border-spacing: 0; font-variant-numeric: tabular-nums }
  caption { text-align: left; color: var(--dim); font-size: .9rem; padding-bottom: .6rem } caption > span { position: sticky; left: 0; display: inline-block; max-width: min(52rem, 85vw) }
  th, td { text-align: left; vertical-align: top; padding: .45rem .7rem; border-bottom: 1px solid var(--line) }
  th { font-weight: 600 } small { display: block; font-size: .78rem; font-weight: 400; line-height: 1.35 } h3 small { display: inline; font-size: .875rem }
  .scoreboard { font-size: .875rem; line-height: 1.4; width: 100% } .scoreboard small { font-size: .88em } .whole { white-space: nowrap } .scoreboard thead th { vertical-align: bottom; min-width: 9.2rem; border-bottom: 2px solid var(--line) }
  .scoreboard thead th:first-child { min-width: 7.5rem }
  .scoreboard thead th:first-child, .scoreboard th[scope=row] { position: sticky; left: 0; background: var(--paper); z-index: 1 }
  .scoreboard td { border-left: 1px solid var(--line) } .scoreboard td b, .scoreboard td span { display: block } .scoreboard td b { white-space: nowrap }
  .scoreboard i { font-style: normal; white-space: nowrap }
  .driver th { background: var(--panel); padding-top: .6rem } .driver th > span { position: sticky; left: .7rem; display: inline-block; max-width: min(46rem, 80vw) }
  td.good { background: var(--good-back) } td.bad { background: var(--bad-back); box-shadow: inset 3px 0 var(--bad) } td.refused { background: var(--quiet-back) }
  td.good b { color: var(--good) } td.bad b { color: var(--bad) } span.broken { color: var(--bad); font-weight: 700; text-decoration: underline }

  figure { margin: 1.8rem 0 0 } figcaption { max-width: 60rem; margin-top: .4rem }
  .mark { display: inline-block; margin: .2rem 0 .5rem; padding: .05rem .6rem; border-radius: 1rem; font-size: .85rem; font-weight: 600 }
  .mark { background: var(--quiet-back) } .mark.good { background: var(--good-back); color: var(--good) } .mark.bad { background: var(--bad-back); color: var(--bad) }
  .legend { list-style: none; margin: .8rem 0; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.3rem; font-size: .875rem }
  .legend li { display: flex; align-items: center; gap: .4rem } .legend svg { flex: none }
  svg { font: 11px system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; display: block } svg text { fill: var(--text) }
  svg .tick, svg .detail { fill: var(--dim) } svg .grid { stroke: var(--line); fill: none } svg .axis, svg .break { stroke: var(--dim); fill: none }

  .picture { display: grid; width: fit-content; border: 1px solid var(--line); border-radius: .4rem; background: var(--paper) }
  .picture svg, .names { grid-area: 1 / 1 } .names { position: sticky; left: 0; width: 108px; justify-self: start; z-index: 1; pointer-events: none;
    background: var(--paper); border-right: 1px solid var(--line) }
  .names span { position: absolute; left: 6px; font-size: 12px; font-weight: 600; line-height: 1.2; white-space: nowrap } .names small { font-size: 11px }
  .lane { fill: none } .lane.odd { fill: var(--lane) } .lane.server { fill: var(--server) } svg .name { font-weight: 600; font-size: 12px }
  .request rect { fill: var(--request) } .request text { fill: var(--dim); font-size: 10px } .request.failed text { fill: var(--bad); font-weight: 700 }
  .request.failed rect { stroke: var(--bad); stroke-width: 1 }
  .c-0 { --color: var(--c0) } .c-1 { --color: var(--c1) } .c-2 { --color: var(--c2) } .c-3 { --color: var(--c3) } .c-4 { --color: var(--c4) }
  .c-5 { --color: var(--c5) } .c-6 { --color: var(--c6) } .c-7 { --color: var(--c7) } .c-none { --color: var(--none) }
  .alive { fill: var(--color) } .dead { fill: var(--paper); stroke: var(--color); stroke-width: 1.5; stroke-dasharray: 3 3 }
  svg .number { fill: var(--on-bar); font-weight: 700 } svg .number.hollow { fill: var(--color) }
  .link { stroke: var(--color); stroke-width: 1.5; stroke-dasharray: 2 3; fill: none } .fork { stroke: var(--dim); stroke-width: 1.5; fill: none }
  .sign path { fill: none; stroke: var(--text); stroke-width: 2.2 } .sign .halo { stroke: var(--paper); stroke-width: 6 }
  .sign text { font-size: 10px; font-weight: 700; paint-order: stroke; stroke: var(--paper); stroke-width: 3 }
  .sign.query path { stroke: var(--on-bar); stroke-width: 1.6 } .sign.open path { fill: var(--on-bar); stroke: none }
  .sign.on-paper.query path { stroke: var(--text) } .sign.on-paper.open path { fill: var(--text) }
  .sign.error path { fill: var(--bad); stroke: var(--paper); stroke-width: 1.5 } .sign.foreign path { fill: var(--text); stroke: var(--paper); stroke-width: 1.5 }
  .sign.discard circle { fill: var(--paper); stroke: var(--text); stroke-width: 2.2 }

  .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 0 2rem } .chart { max-width: 34rem; margin-top: 1rem }
  .chart svg { width: 100%; height: auto } .chart figcaption { font-size: .875rem; text-align: center }
  svg .law { fill: none; stroke: var(--accent); stroke-width: 2; stroke-dasharray: 6 4 } .measured circle, circle.measured { fill: var(--bad) }
  svg .measured text { font-weight: 700; font-size: 12px } svg .django { fill: none; stroke: var(--text); stroke-width: 1.8 } svg .fix { fill: var(--good) } svg .failing { fill: var(--bad) } svg .beyond text { font-size: 11px }
  .error { margin: 1.4rem 0 } .error code { overflow-wrap: normal; white-space: nowrap } .error p { font-size: .875rem; max-width: none }

  @media (max-width: 40rem) { header, main { padding-left: .9rem; padding-right: .9rem } h1 { font-size: 1.35rem } }
  @media print {
    @page { size: A4 landscape; margin: 12mm }
    body { font-size: 11px } header, main { max-width: none; padding: 0 } .scroll { overflow: visible } .names { display: none }
    .picture svg { width: 100%; height: auto } .scoreboard { font-size: 8px } .scoreboard thead th { min-width: 0 } th, td { padding: 2px 4px }
    figure, .error, tr { break-inside: avoid } h2, h3 { break-after: avoid } pre { white-space: pre-wrap } * { print-color-adjust: exact }
  }
`;
