import { type ChildProcess, spawn } from 'node:child_process'
import { waitFor, within } from './wait.ts'

/** A command on a terminal that util-linux' script(1) provides, typed into and looked at. */
export class Terminal implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #tidy: () => Promise<void>
  readonly #ended: Promise<number>
  #seen = ''

  /**
   * @param command sh text
   * @param tidy called once the command was killed
   */
  constructor(command: string, tidy: () => Promise<void>, env: NodeJS.ProcessEnv = process.env) {
    this.#tidy = tidy
    this.#child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.#seen += chunk.toString()
    })
    this.#ended = new Promise((resolve) => this.#child.once('close', (code) => resolve(code ?? -1)))
  }

  type(text: string): void {
    this.#child.stdin?.write(text)
  }

  /** @returns everything that was shown so far */
  shows(text: string | RegExp): Promise<string> {
    return waitFor(`the terminal to show ${text}`, () => {
      if (typeof text === 'string' ? this.#seen.includes(text) : text.test(this.#seen)) return this.#seen
      throw new Error(this.#seen)
    })
  }

  exit(): Promise<number> {
    return within('the command on the terminal to end', this.#ended, { seen: () => this.#seen })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
    await this.#tidy()
  }
}
