// The import rules. Who may import whom is read from the table in docs/ARCHITECTURE.md, "Folders and imports"; here is what it leaves open.
const { readFileSync } = require('node:fs')
const { join } = require('node:path')

const everySource = /^\| `([a-z0-9/]+)` \|(.*)\|(.*)\|(.*)\|$/gm
const quoted = (text) => [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name)

/** The rows of the table: a folder, the folders it may import (`types`: as types only), its rooms in layers, lowest first. */
function readTable() {
  const page = readFileSync(join(__dirname, 'docs', 'ARCHITECTURE.md'), 'utf8')
  const rows = [...page.matchAll(everySource)].map(([, folder, , imports, rooms]) => {
    const types = quoted((imports.match(/types of ((?:`[^`]+`(?:, )?)+)/) ?? ['', ''])[1])
    return {
      folder,
      everything: imports.trim() === 'everything',
      imports: quoted(imports).filter((name) => !types.includes(name)),
      types,
      layers: rooms.trim() === '' ? [] : rooms.split('<').map(quoted),
    }
  })
  if (rows.length < 10) throw new Error('docs/ARCHITECTURE.md: the table of "Folders and imports" cannot be read')
  return rows
}

const rows = readTable()
/** The packages that programs and the page are made of. */
const bundled = JSON.parse(readFileSync(join(__dirname, 'scripts', 'build', 'bundled.json'), 'utf8'))
/** What lies in a folder, without what lies in one that has a row of its own. */
const within = (folder) => {
  const nested = rows.map((row) => row.folder).filter((other) => other.startsWith(`${folder}/`))
  return `^${folder}/${nested.map((other) => `(?!${other.slice(folder.length + 1)}/)`).join('')}`
}
const sources = (names) => names.map((name) => within(`src/${name}`))

/** A folder imports itself and what its row names. */
const folderRules = rows
  .filter(({ everything }) => !everything)
  .flatMap(({ folder, imports, types }) => {
    const rule = (name, pathNot, more) => ({
      name,
      severity: 'error',
      from: { path: within(folder) },
      to: { path: '^(src|bin)/', pathNot: [within(folder), ...pathNot], ...more },
    })
    return [
      rule(`table-${folder}`, sources([...imports, ...types]), {}),
      rule(`table-${folder}-types`, sources(imports), { dependencyTypesNot: ['type-only'] }),
    ]
  })

/** A room imports lower rooms only; each folder of files is a room of the table. */
const roomRules = rows
  .filter(({ layers }) => layers.length > 0)
  .flatMap(({ folder, layers }) => {
    const files = (room) => `^${folder}/${room === '.' ? '' : `${room}/`}[^/]+$`
    const all = layers.flat()
    return [
      {
        name: `rooms-${folder}-known`,
        comment: 'A new room wants a place in the table.',
        severity: 'error',
        from: { path: `${within(folder)}.*[.]tsx?$`, pathNot: all.map(files) },
        to: {},
      },
      ...layers.flatMap((layer, at) =>
        layer.map((room) => ({
          name: `rooms-${folder}-${room}`,
          severity: 'error',
          from: { path: files(room) },
          to: { path: `${within(folder)}.*[.]tsx?$`, pathNot: [room, ...layers.slice(0, at).flat()].map(files) },
        })),
      ),
    ]
  })

// What reads YAML decides purely as well, by the rules of config.yaml.
const core = '^src/(slot|volume|protocol|log|kanban(/handover)?|services(?!/yaml))/[^/]+$'

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    ...folderRules,
    ...roomRules,
    {
      name: 'core-has-no-io',
      comment: 'The cores decide from facts they are given; shells reach files, sockets, processes and time.',
      severity: 'error',
      from: { path: core },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'core-imports-core-or-types',
      severity: 'error',
      from: { path: core },
      to: { path: '^src/(profile|control)/', pathNot: '^src/profile/[^/]+$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'init-is-lean',
      comment: 'PID 1 loads no CLI, YAML, schema or log library (design: init is the only root).',
      severity: 'error',
      from: { path: '^(src/init/|bin/init\\.ts)' },
      to: {
        path: '^(src/services/(io/|yaml)|node_modules/(commander|yaml|zod|pino|chokidar|execa|rotating-file-stream))',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'agent-and-sessions-know-no-server',
      comment: 'The command line and the board use them too.',
      severity: 'error',
      from: { path: '^src/gateway/(agent|sessions)/' },
      to: {
        path: '^(src/(?!gateway/(agent|sessions)/|meter/usage.ts|profile/|system/|protocol/)|node_modules/(hono|@hono))',
      },
    },
    {
      name: 'command-line-knows-no-server',
      comment: 'It loads the gateway by its bundle.',
      severity: 'error',
      from: { path: '^src/(cli|dashboard)/' },
      to: { path: '^src/gateway/(?!(agent|sessions)/)', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'page-knows-the-contract-only',
      comment: 'The page runs in a browser: it imports the types of the API, and what a log line says about itself.',
      severity: 'error',
      from: { path: '^src/dashboard/web/' },
      to: {
        path: '^src/',
        pathNot:
          '^src/(dashboard/web/|dashboard/contract/(access|history|nodes|board|logs|routines|settings|slots|terminal|usage)\\.ts|kanban/report\\.ts|log/line-)',
      },
    },
    {
      name: 'page-decides-purely',
      comment: 'What the page decides is tested without a browser.',
      severity: 'error',
      from: { path: '^src/dashboard/web/core/' },
      to: { path: '^node_modules/(preact|@preact|@xterm)' },
    },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '^#bundle/' } },
    {
      name: 'product-bundles-what-is-listed',
      comment:
        'The build bundles all packages, so package.json has only devDependencies; the list has those of the product.',
      severity: 'error',
      from: { path: '^(src|bin)/' },
      to: { path: '^node_modules/', pathNot: `^node_modules/(@types/)?(${bundled.join('|')})/` },
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
