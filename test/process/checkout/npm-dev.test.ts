// `npm run dev` in a copy of the checkout.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { type Newcomer, NpmRun, newcomersMachine } from '../../support/newcomer.ts'
import { root } from '../../support/pages.ts'
import { freePort } from '../../support/port.ts'
import { waitFor } from '../../support/wait.ts'

const PAGE = 'src/dashboard/web/views/overview/overview.tsx'
const COMMAND = 'src/cli/commands/frequent.ts'
const SUPERVISOR = 'src/supervisor/supervisor.ts'

/** The line about a changed file. */
const lineOf = (file: string, rest: RegExp): RegExp =>
  new RegExp(`^dev: ${file.replaceAll('.', '\\.')} ${rest.source}$`, 'm')

/** Puts `after` in the place of `before`, as an editor does: a new file takes the name of the old one. */
function edit({ checkout }: Newcomer, file: string, before: string, after: string): void {
  const path = join(checkout, file)
  const text = readFileSync(path, 'utf8')
  expect(text).toContain(before)
  writeFileSync(`${path}.new`, text.replace(before, after))
  renameSync(`${path}.new`, path)
}

/** The command lines of all processes that live. */
const commandLines = (): readonly string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => readGone(`/proc/${pid}/cmdline`))

/** A process may end while we look. */
function readGone(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

/** Everything that a browser loads for the page. */
async function loadedPage(address: string): Promise<string> {
  const html = await (await fetch(address)).text()
  const scripts = [...html.matchAll(/src="([^"]+\.js)"/g)].map(([, src = '']) => new URL(src, address))
  expect(scripts).not.toEqual([])
  return (await Promise.all(scripts.map(async (script) => (await fetch(script)).text()))).join('\n')
}

test('npm run dev shows a change of the page, of a command and of the supervisor without a build, and Ctrl-C ends all of it', async () => {
  using machine = newcomersMachine()
  await using run = new NpmRun(machine, ['run', 'dev', '--', '--port', String(await freePort())])
  const [, address = ''] = await run.saw(/dev: dashboard: +(\S+)/)
  const [, exports = ''] = await run.saw(/dev: commands: +(.+)/)
  const hermes = (args: string): string =>
    execFileSync('sh', ['-c', `${exports}; hermes ${args}`], { cwd: '/', env: machine.env, encoding: 'utf8' })
  await run.saw(/dev: watching/)

  expect(await loadedPage(address)).not.toContain('A changed title')
  edit(machine, PAGE, '<h1>Overview', '<h1>A changed title')
  await run.saw(lineOf(PAGE, /changed; built the page in [\d.]+ s: reload it/))
  expect(await loadedPage(address)).toContain('A changed title')

  expect(hermes('version')).toMatch(/^hermes \d/)
  edit(machine, COMMAND, '{ text: `hermes ${json', '{ text: `a changed hermes ${json')
  expect(hermes('version')).toMatch(/^a changed hermes \d/)
  await run.saw(lineOf(COMMAND, /changed; the next command runs it/))

  // The dashboard answers before the supervisor and its gateway do; until then the command ends with another code.
  const newPid = (former = 0): Promise<number> =>
    waitFor('a process of the gateway', () => {
      const { pid } = JSON.parse(hermes('gateway status --json')) as { pid: number }
      return pid !== former && pid
    })
  const pid = await newPid()
  edit(machine, SUPERVISOR, 'export class', '\nexport class')
  await run.saw(lineOf(SUPERVISOR, /changed; started everything again in [\d.]+ s/))
  await newPid(pid)

  edit(machine, PAGE, '<h1>', '<h1')
  await run.saw(lineOf(PAGE, /changed; this does not work: .+/))
  await run.saw(/overview\.tsx:\d+:\d+/)
  expect(await loadedPage(address)).toContain('A changed title')

  const home = /HERMES_HOME=(\S+)/.exec(exports)?.[1] ?? ''
  expect(existsSync(home)).toBe(true)
  run.ctrlC()
  expect(await run.exit()).toBe(0)
  expect(existsSync(dirname(home))).toBe(false)
  await waitFor('every process to have ended', () => commandLines().every((line) => !line.includes(dirname(home))))
})

test('npm run dev starts again at once when a program that cannot start is repaired', async () => {
  using machine = newcomersMachine()
  await using run = new NpmRun(machine, ['run', 'dev', '--', '--port', String(await freePort())])
  const [, exports = ''] = await run.saw(/dev: commands: +(.+)/)
  await run.saw(/dev: watching/)
  const status = (): string =>
    execFileSync('sh', ['-c', `${exports}; hermes gateway status --json`], {
      cwd: '/',
      env: machine.env,
      encoding: 'utf8',
    })
  // The dashboard answers before the supervisor has read its sources: a repair in the same moment is the same change.
  await waitFor('the supervisor to answer', () => JSON.parse(status()).pid > 0)
  edit(machine, SUPERVISOR, 'export class', 'export clas')
  await run.saw(/SyntaxError/)
  edit(machine, SUPERVISOR, 'export clas', 'export class')
  await run.saw(lineOf(SUPERVISOR, /changed; the next change came before a start/))
  await run.saw(lineOf(SUPERVISOR, /changed; started everything again in [\d.]+ s/))
  await waitFor('the supervisor to answer again', () => JSON.parse(status()).pid > 0)
})

test.each([
  [['--prot', '9119'], 2, /^dev: Unknown option '--prot'; usage: npm run dev -- \[--port N\] .+\n$/],
  [['--port', 'x'], 2, /^dev: --port: "x" is not a port between 1 and 65535; usage: .+\n$/],
  [['--inspect', 'hermes'], 2, /^dev: --inspect: "hermes" is not init or supervisor; usage: .+\n$/],
  [['now'], 2, /^dev: Unexpected argument 'now'; usage: .+\n$/],
])('npm run dev -- %j ends with %i and one line', (args, code, line) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/dev.ts', ...args], {
    cwd: root,
    encoding: 'utf8',
  })
  expect({ status, stdout }).toEqual({ status: code, stdout: '' })
  expect(stderr).toMatch(line)
})
