import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { startHermes } from '../support/hermes.ts'
import { installDir } from '../support/install.ts'
import { type Block, commandBlocks, pages } from '../support/pages.ts'

// Pages that speak to an engine are run by test/container/docs.test.ts; here are the blocks that need none.
const needsEngine = ({ text }: Block): boolean =>
  /(^|\s)docker(-compose)? /m.test(text) || /^npm (ci|run|start)/m.test(text)
const byHand = pages()
  .map((page) => ({ path: page.path, blocks: commandBlocks(page).filter((block) => !needsEngine(block)) }))
  .filter(({ blocks }) => blocks.some(({ text }) => /(^|\/)hermes /m.test(text)))

/** Commands that do not end by themselves: they are left as soon as they have had time to say something. */
const FOLLOWS = /( -f| --follow|gateway run)$/

function scriptOf({ text }: Block): string {
  const lines = text.split('\n').map((line) => {
    const command = line.replace(/\s+#.*$/, '')
    // 124: timeout(1) had to end it, which is what a follower needs.
    return FOLLOWS.test(command) ? `timeout 2 ${command} || [ $? = 124 ]` : line
  })
  return `set -eu\n${lines.join('\n')}`
}

/** Pages that make their profiles themselves; elsewhere there are two. */
const BEGINS_WITH_NOTHING = ['README.md', 'docs/first-run.md', 'docs/kanban-first-board.md']

test('there are pages with commands to try', () => {
  expect(byHand.map(({ path }) => path)).toContain('docs/read-logs.md')
})

test.each(byHand)('every command of $path works as it is written', { timeout: 180_000 }, async ({ path, blocks }) => {
  const user = mkdtempSync(join(tmpdir(), 'hermes-docs-'))
  const home = join(user, '.hermes')
  mkdirSync(home)
  const echo = { command: ['sh', '-c', 'echo hello; exec sleep 100000'], ready_after: '50ms' }
  try {
    await using _hermes = await startHermes({
      home,
      profiles: [
        { name: 'default', gateway: echo },
        ...['coder', 'writer']
          .filter(() => !BEGINS_WITH_NOTHING.includes(path))
          .map((name) => ({ name, gateway: echo })),
      ],
    })
    for (const block of blocks) {
      const bin = join(installDir(), 'bin')
      const { code, output } = await new Promise<{ code: number; output: string }>((resolve) => {
        const env = {
          ...process.env,
          HOME: user,
          HERMES_HOME: home,
          HERMES_RUN_DIR: join(home, 'run'),
          PATH: `${bin}:${dirname(process.execPath)}:${process.env.PATH}`,
          EDITOR: 'true',
          // Who runs the tests as root means it.
          HERMES_ALLOW_ROOT_GATEWAY: '1',
        }
        const script = scriptOf(block).replaceAll('./dist/bin/hermes', 'hermes')
        execFile('bash', ['-c', script], { cwd: user, env, timeout: 60_000 }, (error, stdout, stderr) => {
          resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: `${stdout}\n${stderr}` })
        })
      })
      expect(code, `${path}:${block.line}\n${block.text}\n${output}`).toBe(0)
    }
  } finally {
    rmSync(user, { recursive: true, force: true })
  }
})
