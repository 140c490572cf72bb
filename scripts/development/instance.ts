import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { LOOPBACK } from './source-tree.ts'

const LOOK_MS = 50

/** Initial content for a developer: an agent that needs no key, and a second profile. */
const EXAMPLE_HOME = {
  'config.yaml': 'agent:\n  command: [sh, -c, tr a-z A-Z]\n',
  'profiles/coder/config.yaml': 'agent:\n  command: [cat]\n',
  'profiles/coder/desired_state': 'running\n',
} as const

/** Makes a home with the example profiles. */
export async function writeExampleHome(home: string): Promise<void> {
  await mkdir(join(home, 'profiles', 'coder'), { recursive: true })
  for (const [name, text] of Object.entries(EXAMPLE_HOME)) await writeFile(join(home, name), text)
}

/** `init --foreground` of an install tree, with its dashboard, on a home. */
export class DevInstance {
  readonly #place: { readonly tree: string; readonly home: string; readonly port: number }
  #init: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()

  constructor(place: { readonly tree: string; readonly home: string; readonly port: number }) {
    this.#place = place
  }

  get address(): string {
    return `http://${LOOPBACK}:${this.#place.port}/`
  }

  /** @returns once the dashboard answers. @throws Error when init ends before that */
  async start(): Promise<void> {
    const { tree, home, port } = this.#place
    const strangers = Object.entries(process.env).filter(([name]) => !name.startsWith('HERMES_'))
    const init = spawn(join(tree, 'bin', 'init'), ['--foreground'], {
      env: {
        ...Object.fromEntries(strangers),
        HERMES_HOME: home,
        HERMES_DASHBOARD: '1',
        HERMES_DASHBOARD_HOST: LOOPBACK,
        HERMES_DASHBOARD_PORT: String(port),
      },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    this.#init = init
    let how: string | undefined
    this.#ended = new Promise((resolve) => {
      const end = (text: string): void => {
        how = text
        resolve()
      }
      init.once('error', (error) => end(error.message))
      init.once('exit', (code, signal) => end(`init ended with ${code ?? signal}`))
    })
    while (!(await this.#answers())) {
      if (how !== undefined) throw new Error(how)
      await pause(LOOK_MS)
    }
  }

  /** Ends init and everything that it runs; after a Ctrl-C, which init hears too, it only waits for that. */
  async stop(): Promise<void> {
    this.#init?.kill('SIGTERM')
    await this.#ended
    this.#init = undefined
  }

  async #answers(): Promise<boolean> {
    try {
      return (await fetch(this.address)).ok
    } catch {
      return false // it does not listen yet
    }
  }
}
