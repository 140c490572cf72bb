// A checkout as it is just after cloning, and npm's commands in it.
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathWithout } from './hostile/path-without.ts'
import { root } from './pages.ts'
import { waitFor, within } from './wait.ts'

/**
 * A fresh checkout on a machine that has a Node and npm of its own, whatever their version, no Docker, and nothing of
 * ours.
 */
export interface Newcomer {
  readonly checkout: string
  readonly env: { readonly PATH: string; readonly HOME: string }
}

const COPIED = [
  'bin',
  'src',
  'scripts',
  'docker',
  'test',
  '.npmrc',
  'LICENSE',
  'package-lock.json',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
] as const

export function newcomersMachine(): Disposable & Newcomer {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-newcomer-'))
  const checkout = join(dir, 'checkout')
  for (const name of COPIED) cpSync(join(root, name), join(checkout, name), { recursive: true, verbatimSymlinks: true })
  // npm ci would create this; it is the same in every checkout.
  symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'))
  const programs = pathWithout(join(dir, 'bin'), (name) => name.startsWith('docker'))
  return {
    checkout,
    env: { PATH: programs, HOME: dir },
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  }
}

/** `npm ARGS` in the background of a test, as a terminal's foreground job, with everything it prints. */
export class NpmRun implements AsyncDisposable {
  readonly #npm: ChildProcess
  readonly #ended: Promise<number | null>
  readonly #name: string
  #said = ''

  constructor({ checkout, env }: Newcomer, args: readonly string[], more: Readonly<Record<string, string>> = {}) {
    this.#name = `npm ${args.join(' ')}`
    this.#npm = spawn('npm', args, {
      cwd: checkout,
      env: { ...env, ...more },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#npm.stdout, this.#npm.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#said += text
      })
    this.#ended = new Promise((resolve) => this.#npm.once('close', resolve))
  }

  get said(): string {
    return this.#said
  }

  /**
   * @returns the groups of `pattern` in what it prints. @throws Error with all of that when it ends before, or does not
   * come
   */
  async saw(pattern: RegExp, deadlineMs = 100_000): Promise<RegExpExecArray> {
    const matching = waitFor(
      `${this.#name} to print ${pattern}`,
      () => pattern.exec(this.#said) ?? missing(this.#said),
      { deadlineMs },
    )
    const ended = this.#ended.then(
      (code) => pattern.exec(this.#said) ?? missing(`${this.#name} ended with ${code}: ${this.#said}`),
    )
    // One of the two loses the race, and may fail later.
    matching.catch(() => undefined)
    ended.catch(() => undefined)
    return Promise.race([matching, ended])
  }

  /** Ctrl-C reaches the whole foreground process group; npm passes its own on besides. */
  ctrlC(): void {
    process.kill(-(this.#npm.pid as number), 'SIGINT')
  }

  exit(): Promise<number | null> {
    return within(`${this.#name} to end`, this.#ended, { seen: () => this.#said, deadlineMs: 60_000 })
  }

  get #hasEnded(): boolean {
    return this.#npm.exitCode !== null || this.#npm.signalCode !== null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#hasEnded) return
    // A test that failed half-way must leave nothing behind: KILL would leave what runs in sessions of its own.
    this.ctrlC()
    try {
      await this.exit()
    } finally {
      if (!this.#hasEnded) process.kill(-(this.#npm.pid as number), 'SIGKILL')
    }
  }
}

const missing = (said: string): never => {
  throw new Error(said)
}
