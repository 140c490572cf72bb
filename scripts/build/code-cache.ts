// Programs start from compiled code: lib/X.cjs is a loader, lib/X.js the bundle, lib/X.cache what V8 had compiled of it
// after it had worked for a while. Boot is mostly compiling otherwise, twice in a row (init, then supervisor). Node's
// own compile cache would keep a directory per uid and write to it at run time; this one is made once, here, and only
// ever read.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'

/** Around each bundle, so that the loader can give it what a module gets. */
export const MODULE_WRAPPER = {
  before: '(function (exports, require, module, __filename, __dirname) {',
  after: '})',
} as const

const DEADLINE_MS = 60_000
/** A file beside the bundles while the code of a stop is recorded. */
const STOPPING = 'stopping'

/**
 * V8 refuses a cache of another version or other flags, and compiles as if there were none. It does not look at the
 * architecture.
 */
const loader = (name: string, more = ''): string =>
  `'use strict'
const { readFileSync, renameSync, writeFileSync } = require('node:fs')
const { Script } = require('node:vm')
let cachedData
try {
  if (process.arch === '${process.arch}') cachedData = readFileSync(__dirname + '/${name}.cache')
} catch {}
const filename = __dirname + '/${name}.js'
const script = new Script(readFileSync(filename, 'latin1'), { filename, cachedData })
${more}script.runInThisContext()(exports, require, module, __filename, __dirname)
`

/**
 * Stores the code that was compiled: at the end of a command, or when a long-running program gets the signal. A life
 * that is about to stop ends with KILL or _exit: init stores again and again, the supervisor with its last message. Its
 * code is so large that V8 would make room for each store by throwing code away.
 */
const recorder = (name: string): string =>
  `const { existsSync } = require('node:fs')
const record = () => {
  const file = __dirname + '/${name}.cache'
  writeFileSync(file + process.pid, script.createCachedData())
  renameSync(file + process.pid, file)
}
const recordAgain = () => {
  record()
  setTimeout(recordAgain, 1)
}
const isStopping = existsSync(__dirname + '/${STOPPING}')
process.on('exit', record)
process.on('SIGUSR2', isStopping && ['init', 'boot'].includes('${name}') ? recordAgain : record)
if (isStopping && '${name}' === 'supervisor') {
  const { Socket } = require('node:net')
  const { write } = Socket.prototype
  Socket.prototype.write = function (chunk, ...rest) {
    if (String(chunk).includes('"drained"')) record()
    return write.call(this, chunk, ...rest)
  }
}
`

/** @param more code that runs before the bundle `name` */
const writeLoaders = (lib: string, names: readonly string[], more: (name: string) => string): Promise<unknown> =>
  Promise.all(names.map((name) => writeFile(join(lib, `${name}.cjs`), loader(name, more(name)))))

/** Gives every bundle of an install tree its loader. */
export const makeLoaders = (install: string, names: readonly string[]): Promise<unknown> =>
  writeLoaders(join(install, 'lib'), names, () => '')

/**
 * Gives the bundles that matter for boot and for the command line their cache: the tree is run for a second, in a home
 * of its own.
 * @param install holds lib/X.js for each of `names`
 * @returns why there is no cache; undefined: there is one
 */
export async function makeCodeCache(install: string, names: readonly string[]): Promise<string | undefined> {
  const lib = join(install, 'lib')
  const home = await mkdtemp(join(tmpdir(), 'hermes-code-'))
  try {
    await writeLoaders(lib, names, recorder)
    await work(lib, home)
    return undefined
  } catch (error) {
    return (error as Error).message
  } finally {
    await makeLoaders(install, names)
    await rm(home, { recursive: true, force: true })
    await rm(join(lib, STOPPING), { force: true })
  }
}

/** Runs the commands that most containers begin with. */
async function work(lib: string, home: string): Promise<void> {
  // Plain lines, and one that only the YAML parser reads: both are part of boots.
  await writeFile(join(home, 'config.yaml'), 'gateway:\n  restart: always\n  env: {HERMES_BUILD: "1"}\n')
  await mkdir(join(home, 'run'))
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    HERMES_HOME: home,
    HERMES_RUN_DIR: join(home, 'run'),
    HERMES_DOCKER_EXEC_AS_ROOT: '1',
  }
  const start = (...args: readonly string[]): ChildProcess =>
    spawn(process.execPath, ['--v8-pool-size=1', ...args], { env, stdio: 'ignore', detached: true })
  const hermes = (...args: readonly string[]): Promise<number | null> => ended(start(join(lib, 'hermes.cjs'), ...args))
  const s6 = (...args: readonly string[]): Promise<number | null> => ended(start(join(lib, 's6.cjs'), ...args))

  const init = start(join(lib, 'init.cjs'), '--foreground')
  const gone = ended(init)
  try {
    await until('the default gateway to be up', async () => (await hermes('gateway', 'status')) === 0)
    await hermes('profile', 'create', 'other', '--start')
    record(init)
    const staying = ['init', 'boot', 'supervisor', 'gateway'].map((name) => join(lib, `${name}.cache`))
    await until(`${staying.join(', ')}`, () => staying.every((file) => existsSync(file)))
    // Each adds to what the one before has written.
    for (const args of ['gateway status', 'status', 'healthcheck', 'version', 'gateway restart', 'logs', 'kanban list'])
      await hermes(...args.split(' '))
    const slot = join(home, 'run', 'service', 'gateway-default')
    // Only a root caller in a container loads it.
    await ended(start('--eval', `require(${JSON.stringify(join(lib, 'drop.cjs'))})`))
    for (const args of ['s6-svstat', 's6-svwait -U -t 10000', 's6-svc -wR -T 10000 -r'])
      await s6(...args.split(' '), slot)
  } finally {
    init.kill('SIGTERM')
    await gone
  }
  await writeFile(join(lib, STOPPING), '')
  // A life of its own: in a long one, V8 has thrown the code of the boot away before the stop.
  const stopping = start(join(lib, 'init.cjs'), '--foreground')
  const stopped = ended(stopping)
  try {
    await until('the default gateway to be up again', async () => (await hermes('gateway', 'status')) === 0)
    if (stopping.pid !== undefined) process.kill(stopping.pid, 'SIGUSR2')
  } finally {
    stopping.kill('SIGTERM')
    await stopped
  }
}

/** Has init and its children store their code. */
function record({ pid = 0 }: ChildProcess): void {
  for (const one of [pid, ...childrenOf(pid)]) process.kill(one, 'SIGUSR2')
}

const childrenOf = (pid: number): readonly number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter(Boolean).map(Number)

const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + DEADLINE_MS
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${DEADLINE_MS} ms for ${what}`)
    await after(20)
  }
}
