// The import rules of docs/ARCHITECTURE.md, "Folders and imports".
// What reads YAML decides purely as well, by the rules of config.yaml.
const core = '^src/(slot|protocol|(log|kanban)/(?!io/)[^/]+|services/(?!io/|yaml)[^/]+)'
const loop = { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } }
module.exports = {
  forbidden: [
    loop,
    {
      name: 'core-has-no-io',
      comment:
        'The cores decide from facts they are given; files, sockets, processes and time are reached by shells only.',
      severity: 'error',
      from: { path: core },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'core-imports-core-or-types',
      severity: 'error',
      from: { path: core },
      to: {
        path: '^src/(init|supervisor|(log|kanban)/io|profile|gateway|cli|control|dashboard)/',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'system-imports-nothing-above-it',
      severity: 'error',
      from: { path: '^src/system/' },
      to: { path: '^src/(?!system/)' },
    },
    {
      name: 'init-is-lean',
      comment: 'PID 1 loads no CLI, YAML, schema or log library (design: init is the only root).',
      severity: 'error',
      from: { path: '^(src/init/|bin/init\\.ts)' },
      to: {
        path: '^(src/((supervisor|cli|gateway|control|log/io|profile|services/io)/|services/yaml)|node_modules/(commander|yaml|zod|pino|chokidar|execa|rotating-file-stream))',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'programs-do-not-import-each-other',
      severity: 'error',
      from: { path: '^src/(supervisor|cli|gateway|dashboard)/' },
      to: {
        path: '^src/(init|supervisor|cli|gateway|dashboard)/',
        pathNot: ['^src/$1/', '^src/gateway/(agent|sessions)/'],
        // The command line knows what a bundle that it loads gives.
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'agent-and-sessions-know-no-server',
      comment: 'The command line and the board use them too.',
      severity: 'error',
      from: { path: '^src/gateway/(agent|sessions)/' },
      to: { path: '^(src/(?!gateway/(agent|sessions)/|profile/|system/|protocol/)|node_modules/(hono|@hono))' },
    },
    {
      name: 'only-bin-imports-programs',
      severity: 'error',
      from: { path: '^src/(slot|log|kanban|profile|protocol|control|services|system)/' },
      to: { path: '^src/(init|supervisor|cli|gateway|dashboard)/' },
    },
    {
      name: 'page-knows-types-only',
      comment: 'The page runs in a browser: of everything else it imports the types of what the API speaks.',
      severity: 'error',
      from: { path: '^src/dashboard/web/' },
      to: {
        path: '^(src/(?!dashboard/web/)|bin/)',
        // What a log line says about itself is read alike in a browser and by `hermes logs`.
        pathNot: '^src/log/line-',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'page-knows-the-contract-only',
      severity: 'error',
      from: { path: '^src/dashboard/web/' },
      to: { path: '^src/', pathNot: '^src/(dashboard/web/|dashboard/api/contract\\.ts|kanban/report\\.ts|log/line-)' },
    },
    {
      name: 'page-decides-purely',
      comment: 'What the page decides is tested without a browser.',
      severity: 'error',
      from: { path: '^src/dashboard/web/core/' },
      to: { path: '^(src/dashboard/web/(?!core/)|node_modules/(preact|@preact|@xterm))' },
    },
    {
      name: 'nobody-imports-the-page',
      comment: 'It is built by itself (scripts/build-page.ts); the server sends the files.',
      severity: 'error',
      from: { path: '^(src/(?!dashboard/web/)|bin/)' },
      to: { path: '^src/dashboard/web/' },
    },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '^#bundle/' } },
    {
      name: 'no-dev-dependency-in-product',
      severity: 'error',
      from: { path: '^(src|bin)/' },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.tsx', '.js', '.cjs', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
}
