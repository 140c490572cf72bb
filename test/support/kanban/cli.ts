/** `hermes kanban …` inside this process, on a home of its own. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeContext } from '../../../src/cli/context/context.ts'
import { commandLine } from '../../../src/cli/main.ts'
import { printError } from '../../../src/cli/terminal/output.ts'
import { splitCommandLine } from '../../../src/system/programs/command-line.ts'
import { quickDir } from '../quick-dir.ts'

export interface Said {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface KanbanCli extends Disposable {
  readonly home: string
  readonly env: Record<string, string>
  /** `hermes kanban ARGS`. */
  kanban(...args: string[]): Promise<Said>
  /** Likewise with --json: what was printed, parsed. @throws when it failed */
  json<T = Record<string, unknown>>(...args: string[]): Promise<T>
  /** The id of a new task. */
  create(...args: string[]): Promise<string>
}

export function kanbanCli(profiles: readonly string[] = ['coder']): KanbanCli {
  const home = quickDir('hermes-kanban-')
  for (const name of profiles) {
    mkdirSync(join(home, 'profiles', name), { recursive: true })
    writeFileSync(join(home, 'profiles', name, 'config.yaml'), JSON.stringify({ agent: { command: ['true'] } }))
  }
  const env: Record<string, string> = { HERMES_HOME: home, HERMES_RUN_DIR: join(home, 'run'), USER: 'tester' }
  const kanban = async (...args: string[]): Promise<Said> => {
    let out = ''
    let err = ''
    const output = {
      out: (text: string) => {
        out += text
      },
      err: (text: string) => {
        err += text
      },
      closed: false,
    }
    const line = splitCommandLine(['kanban', ...args])
    const context = makeContext({ env, bundleDir: join(home, 'lib'), profile: line.profile, json: line.json, output })
    let code: number
    try {
      code = await commandLine(context, line.args)
    } catch (error) {
      code = printError(error, line.json, output)
    }
    return { code, out, err }
  }
  const json = async <T>(...args: string[]): Promise<T> => {
    const { code, out, err } = await kanban(...args, '--json')
    if (code !== 0) throw new Error(`hermes kanban ${args.join(' ')} ended with ${code}: ${err}`)
    return JSON.parse(out) as T
  }
  return {
    home,
    env,
    kanban,
    json,
    create: async (...args) => (await json<{ id: string }>('create', ...args)).id,
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }),
  }
}
