import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tryRun } from '../../../scripts/run.ts'
import { startHermes } from '../../support/hermes.ts'
import { installDir } from '../../support/install.ts'
import { startPostgres, whyNoPostgres } from '../../support/kanban/postgres.ts'
import { type Block, commandBlocks, pages, runsByHand } from '../../support/pages.ts'
import { freePort } from '../../support/port.ts'
import { named, whyMissing } from '../../support/tools.ts'
import { waitFor } from '../../support/wait.ts'

const byHand = pages()
  .map((page) => ({ path: page.path, blocks: commandBlocks(page).filter((block) => runsByHand(page, block)) }))
  .filter(({ blocks }) => blocks.length > 0)

/** Commands that do not end by themselves: they are left as soon as they have had time to say something. */
const FOLLOWS = /( -f| --follow|gateway run|kanban watch|hermes dashboard)$/
/** Commands that ask on a terminal, and what is typed: an endpoint, a model, the usual name of a key, a key. A Ctrl-D
 * that comes before the program reads its terminal ends nothing, so it is typed until the program has gone.
 */
const ASKS = /^hermes (setup|chat)$/
const TYPED = 'http://127.0.0.1:9/v1\\rmodel\\r\\rneutral-key-0123\\r'

/** A task that pages name, and that the board then has. */
const TASK = 't_1a2b3c4d'

/** Makes a task in the place of the one that a page names. */
const newTask = (options: string): string =>
  `$(hermes kanban create 'a task of the page' ${options} --json | sed -n 's/.*"id": *"\\(t_[0-9a-f]*\\)".*/\\1/p' | head -n 1)`
const NEW_TASK = newTask('--assignee coder')
/** A task that the dispatcher gives to no worker, who would complete it before the page's command does. */
const OWN_TASK = newTask('')

const UNTIL_REVIEW = `until hermes kanban show ${TASK} --json | grep -q '"status": *"review"'; do sleep 0.2; done`

function scriptOf({ text }: Block): string {
  const lines = text.split('\n').map((line) => {
    const command = line.replace(/\s+#.*$/, '')
    if (ASKS.test(command))
      return `{ printf '${TYPED}'; while sleep 1; do printf '\\004' || break; done; } | script -qec '${command}' /dev/null`
    // Reports of a worker about its own task; each of these lines is one way to continue.
    if (command.includes('$HERMES_KANBAN_TASK')) return `HERMES_KANBAN_TASK=${OWN_TASK}\n${command}`
    // Reviews what the dispatcher's worker has done.
    if (command.startsWith('hermes kanban request-changes')) return `${UNTIL_REVIEW}\n${command}`
    // 124: timeout(1) had to end it, which is what a follower needs.
    return FOLLOWS.test(command) ? `timeout 2 ${command} || [ $? = 124 ]` : line
  })
  const script = lines.join('\n')
  return `set -eu\n${script.includes(TASK) ? `task=${NEW_TASK}\n${script.replaceAll(TASK, '$task')}` : script}`
}

/** The server of a page listens where an ordinary user may connect. */
const tcp = async () => ({ host: '127.0.0.1', port: await freePort(), password: 'neutral' })

/** Pages that make their profiles themselves; elsewhere there are two. */
const BEGINS_WITH_NOTHING = ['README.md', 'docs/first-run.md', 'docs/kanban-first-board.md']

/** An ordinary user of a machine without Docker. Tests that are not root are one themselves. */
const USER = process.getuid?.() === 0 ? 12_346 : undefined
const asUser = USER === undefined ? [] : ['setpriv', '--reuid', `${USER}`, '--regid', `${USER}`, '--clear-groups', '--']

let place: string
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), 'hermes-docs-'))
  chmodSync(place, 0o755)
  // The tests' own install and Node may lie where only we may read.
  cpSync(installDir(), join(place, 'install'), { recursive: true })
  cpSync(process.execPath, join(place, 'install', 'lib', 'node'))
  mkdirSync(join(place, 'programs'))
  // Everything on PATH but Docker.
  writeFileSync(join(place, 'programs', 'docker'), '#!/bin/sh\necho "docker: command not found" >&2\nexit 127\n', {
    mode: 0o755,
  })
})
afterAll(() => rmSync(place, { recursive: true, force: true }))

test('there are pages with commands to try', () => {
  expect(byHand.map(({ path }) => path)).toContain('docs/read-logs.md')
})

/** The database that pages name. */
const DATABASE = 'postgres://hermes:secret@db.example/hermes'

const names = ({ blocks }: (typeof byHand)[number], what: string): boolean =>
  blocks.some(({ text }) => text.includes(what))
/** Text of a page that wants another program, and why that is not there. */
const WANTS = [
  { what: 'python3', why: whyMissing('python3') },
  { what: DATABASE, why: whyNoPostgres() },
]
const lacks = (page: (typeof byHand)[number]) => WANTS.find(({ what, why }) => why !== undefined && names(page, what))

for (const want of WANTS)
  test.skip.each(byHand.filter((page) => lacks(page) === want))(
    named('every command of $path works', want.why),
    () => undefined,
  )

test.each(byHand.filter((page) => lacks(page) === undefined))(
  'every command of $path works as it is written, for an ordinary user',
  { timeout: 300_000 },
  async (page) => {
    const { path, blocks } = page
    await using database = names(page, DATABASE) ? await startPostgres({ tcp: await tcp() }) : undefined
    const user = mkdtempSync(join(place, 'user-'))
    const home = join(user, '.hermes')
    mkdirSync(home)
    if (USER !== undefined) chownSync(user, USER, USER)
    const echo = { command: ['sh', '-c', 'echo hello; exec sleep 100000'], ready_after: '50ms' }
    const profiles = BEGINS_WITH_NOTHING.includes(path) ? [] : ['coder', 'writer']
    await using hermes = await startHermes({
      home,
      install: join(place, 'install'),
      ...(USER !== undefined && { user: USER }),
      profiles: [
        { name: 'default', gateway: echo, agent: { command: ['cat'] } },
        ...profiles.map((name) => ({ name, gateway: echo })),
      ],
    })
    for (const name of ['default', ...profiles])
      await waitFor(`gateway-${name} to be up`, async () => (await hermes.slot(`gateway-${name}`))?.state === 'up')
    const bin = join(place, 'install', 'bin')
    const env = {
      HOME: user,
      HERMES_HOME: home,
      HERMES_RUN_DIR: join(home, 'run'),
      PATH: `${join(place, 'programs')}:${bin}:${process.env.PATH}`,
      EDITOR: 'true',
    }
    for (const block of blocks) {
      const script = scriptOf(block)
        .replaceAll('./dist/bin/hermes', 'hermes')
        .replaceAll(DATABASE, database?.url ?? '')
      const [file = '', ...args] = [...asUser, 'bash', '-c', script]
      const { code, stdout, stderr } = await tryRun(file, args, { cwd: user, env, timeoutMs: 60_000 })
      expect(code, `${path}:${block.line}\n${block.text}\n${stdout}\n${stderr}`).toBe(0)
    }
  },
)
