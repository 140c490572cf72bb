// npm run dev: the dashboard and the command line from the sources, on a home that goes when it ends. A change needs no
// build.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'
import { watch } from 'chokidar'
import { buildPage } from './build/page.ts'
import { freshTree, putInPlace } from './build/replace-tree.ts'
import { DevInstance, writeExampleHome } from './development/instance.ts'
import { type DevOptions, devOptions, firstTaken, USAGE } from './development/options.ts'
import { reactionsTo } from './development/reaction.ts'
import { type Inspect, LOOPBACK, makeSourceTree } from './development/source-tree.ts'

/** One save in an editor is several events, and a checkout of another branch is several files. */
const SETTLE_MS = 50
/** A start that takes longer is reported: a program with a syntax error is started again and again. */
const SLOW_START_MS = 10_000
/** Editors put files of their own beside these. The wrappers in docker/rootfs have no ending. */
const SOURCE = /(\.(tsx?|css|html|svg|sh)|\/(hermes|init))$/

const root = dirname(import.meta.dirname)
const say = (line: string): void => void process.stdout.write(`dev: ${line}\n`)
/** The lines of its message; those of the bundler name the place in the source. */
const messageOf = (error: unknown): string =>
  stripVTControlCharacters((error as Error).message)
    .split('\n')
    .filter((line) => line.trim() !== '')
    .join('\n')

const options = devOptions(process.argv.slice(2))
if (typeof options === 'string') fail(2, options)
else {
  const taken = await firstTaken([options.port, ...(options.inspect ? [options.inspect.port] : [])])
  if (taken === undefined) await develop(options)
  else fail(1, `port ${taken} of ${LOOPBACK} is in use; choose another one (${USAGE})`)
}

async function develop({ port, inspect }: DevOptions): Promise<void> {
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop())
  const scratch = await mkdtemp(join(tmpdir(), 'hermes-dev-'))
  const tree = join(scratch, 'install')
  const home = join(scratch, 'home')
  const instance = new DevInstance({ tree, home, port })
  try {
    await Promise.race([follow(instance, { tree, home, inspect }), stopped])
  } catch (error) {
    fail(1, messageOf(error))
  } finally {
    await instance.stop()
    await rm(scratch, { recursive: true, force: true })
    say('ended')
  }
  // A build that the stop overtook has nothing more to do.
  process.exit()
}

/** Starts everything, then answers each change with one line. */
async function follow(
  instance: DevInstance,
  { tree, home, inspect }: { tree: string; home: string; inspect: Inspect | undefined },
): Promise<never> {
  await makeSourceTree(tree, inspect)
  await writeExampleHome(home)
  let ofThePage = await makePage(tree)
  const changed = changes()
  let next = changed.next()
  let isUp = await startBefore(next, instance)
  say(`dashboard: ${instance.address}`)
  if (inspect) say(`inspector of ${inspect.program}: ${LOOPBACK}:${inspect.port}`)
  say(`commands:  export HERMES_HOME=${home} PATH="${join(tree, 'bin')}:$PATH"`)
  say('watching src, bin and docker/rootfs; Ctrl-C ends everything')
  while (true) {
    const files = (await next).value
    next = changed.next()
    const reactions = reactionsTo(files, ofThePage)
    const what = files.length === 1 ? `${files[0]} changed` : `${files.length} files changed`
    const begunAtMs = performance.now()
    const seconds = (): string => `${((performance.now() - begunAtMs) / 1000).toFixed(1)} s`
    try {
      if (reactions.has('build the page')) {
        ofThePage = await makePage(tree)
        say(`${what}; built the page in ${seconds()}: reload it`)
      }
      if (reactions.has('start again') || !isUp) {
        isUp = false
        await instance.stop()
        isUp = await startBefore(next, instance)
        say(`${what}; ${isUp ? `started everything again in ${seconds()}` : 'the next change came before a start'}`)
      } else if (reactions.has('nothing')) say(`${what}; the next command runs it`)
    } catch (error) {
      say(`${what}; this does not work: ${messageOf(error)}`)
    }
  }
}

/**
 * Starts everything. The next change may repair what keeps it from starting, so it is not waited for longer.
 * @returns false: the change came first
 * @throws Error when init ends first
 */
async function startBefore(change: Promise<unknown>, instance: DevInstance): Promise<boolean> {
  const slow = setTimeout(
    () =>
      say('the dashboard does not answer yet; the lines above may say why. The next change starts everything again'),
    SLOW_START_MS,
  )
  try {
    return await Promise.race([instance.start().then(() => true), change.then(() => false)])
  } finally {
    clearTimeout(slow)
  }
}

/** @returns the files that the page was made of, relative to the checkout */
async function makePage(tree: string): Promise<ReadonlySet<string>> {
  const page = join(tree, 'lib', 'dashboard')
  const fresh = await freshTree(page)
  const files = await buildPage(join(root, 'src', 'dashboard', 'web'), fresh)
  await putInPlace(fresh, page)
  return new Set(files.map((file) => relative(root, file)))
}

/** Files that changed, relative to the checkout, as soon as an editor has written all of them. */
async function* changes(): AsyncGenerator<readonly string[], never> {
  let changed = new Set<string>()
  let woken = Promise.withResolvers<void>()
  const watcher = watch(['src', 'bin', 'docker/rootfs/opt/hermes/bin'], {
    cwd: root,
    ignoreInitial: true,
    ignored: (file, stats) => stats?.isFile() === true && !SOURCE.test(file),
  })
  watcher.on('all', (_event, file) => {
    changed.add(file)
    woken.resolve()
  })
  await new Promise<void>((resolve) => watcher.once('ready', () => resolve()))
  while (true) {
    await woken.promise
    await pause(SETTLE_MS)
    const files = [...changed]
    changed = new Set()
    woken = Promise.withResolvers()
    yield files
  }
}

function fail(code: number, line: string): void {
  process.stderr.write(`dev: ${line}\n`)
  process.exitCode = code
}
