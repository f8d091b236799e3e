// The layer rules of lib/: what each folder may import. `npm run lint:layers` holds them.
const layers = {
  protocol: [],
  cgi: [],
  signals: [],
  server: ['protocol', 'cgi'],
  client: ['protocol', 'cgi'],
  app: ['server', 'cgi', 'signals'],
  adapters: ['app', 'server', 'cgi', 'signals'],
  gateway: ['client'],
  config: [],
  prefork: ['signals'],
  daemon: [],
  db: ['signals'],
  auth: ['app', 'db', 'signals'],
};

const folders = Object.keys(layers);
const within = (names) => `^lib/(${names.join('|')})/`;

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    ...[...folders, 'commands', 'lab'].map((folder) => ({
      name: `${folder}-through-its-index`,
      comment: 'A folder is imported through its index.ts only.',
      severity: 'error',
      from: { path: '^lib/', pathNot: `^lib/${folder}/` },
      to: { path: `^lib/${folder}/`, pathNot: `^lib/${folder}/index\\.ts$` },
    })),
    ...folders.map((folder) => ({
      name: `layer-of-${folder}`,
      comment: `${folder}/ may import ${layers[folder].join(', ') || 'no other folder'}.`,
      severity: 'error',
      from: { path: `^lib/${folder}/` },
      to: { path: '^lib/', pathNot: within([folder, ...layers[folder]]) },
    })),
    {
      name: 'pure-layers-have-no-io',
      comment: 'protocol/, cgi/, signals/ and config/ are pure: no node: module but async_hooks, no package.',
      severity: 'error',
      from: { path: within(['protocol', 'cgi', 'signals', 'config']) },
      to: { pathNot: '^lib/|^(node:)?async_hooks$', dependencyTypes: ['core', 'npm', 'npm-dev'] },
    },
    {
      name: 'pg-in-db-only',
      comment: "Only db/ talks to PostgreSQL, and the lab's site, which has the thread's fault to show.",
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/(db|lab/site)/' },
      to: { path: 'node_modules/(@types/)?pg(-copy-streams)?/' },
    },
    {
      name: 'no-dev-packages-in-lib',
      severity: 'error',
      from: { path: '^lib/' },
      to: { dependencyTypes: ['npm-dev'] },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node'],
    },
  },
};
