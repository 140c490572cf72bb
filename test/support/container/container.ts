// One container of the image under test: made by testcontainers, driven by the docker commands that a user types.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type RunOptions, tryRun } from '../../../scripts/run.ts'
import { connectControl } from '../../../src/control/client.ts'
import type { SlotStatus, StatusResult } from '../../../src/protocol/control.ts'
import type { SignalName } from '../../../src/system/signals.ts'
import type { Finished } from '../supervisor/namespace.ts'
import { stretchedMs, type WaitOptions, waitFor } from '../wait.ts'
import { Blueprint, type BoxOptions } from './blueprint.ts'
import { testImage } from './image.ts'

/** `docker run -d`. Resolves as soon as the container was started; it may have ended since. */
export async function startContainer(options: BoxOptions = {}): Promise<Box> {
  const home = options.home ?? freshHome()
  for (const [path, text] of Object.entries(options.files ?? {})) {
    mkdirSync(dirname(join(home, path)), { recursive: true })
    writeFileSync(join(home, path), text)
  }
  try {
    const started = await new Blueprint(options.image ?? (await testImage()), options, home).start()
    return new Box(started.getId(), home, options.home === undefined)
  } catch (error) {
    if (options.home === undefined) rmSync(home, { recursive: true, force: true })
    throw error
  }
}

/** A config.yaml whose gateway is this program. */
export const gatewayOf = (...command: string[]): string => `gateway:\n  command: ${JSON.stringify(command)}\n`

/** A gateway that prints `text`, then lives until it gets the stop signal. */
export const lives = (text = 'alive'): string => gatewayOf('/bin/sh', '-c', `echo ${text}; exec sleep 1000000`)

/** An empty directory to give as a volume, for tests that keep it over several containers. */
export const freshHome = (): string => mkdtempSync(join(tmpdir(), 'hermes-home-'))

/** The same, removed at the end of the block: declare it before the boxes that use it. */
export function keptHome(): { readonly path: string } & Disposable {
  const path = freshHome()
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

export class Box implements AsyncDisposable {
  readonly id: string
  /** The volume, on the host. */
  readonly home: string
  readonly #ownsHome: boolean
  /** Of the container's init, on the host, when it was looked at last. */
  #pid: number | undefined

  constructor(id: string, home: string, ownsHome: boolean) {
    this.id = id
    this.home = home
    this.#ownsHome = ownsHome
  }

  /** `docker exec`; root unless a user is named. Never rejects for the program's exit code. */
  exec(
    argv: readonly string[],
    options: { user?: string; env?: Readonly<Record<string, string>> } = {},
  ): Promise<Finished> {
    const env = Object.entries(options.env ?? {}).flatMap(([name, value]) => ['--env', `${name}=${value}`])
    const user = options.user === undefined ? [] : ['--user', options.user]
    return dockerCommand(['exec', ...env, ...user, this.id, ...argv])
  }

  /** Where on 127.0.0.1 a published port is found. */
  async port(inside: number): Promise<number> {
    const { stdout } = await dockerCommand(['port', this.id, `${inside}/tcp`])
    return Number(/:(\d+)$/m.exec(stdout)?.[1])
  }

  /** `docker exec … hermes ARGS`. */
  hermes(...args: string[]): Promise<Finished> {
    return this.exec(['hermes', ...args])
  }

  /** The same, its standard output; an exit code other than 0 is an error. */
  async ok(...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.exec(argv)
    if (code !== 0) throw new Error(`${argv.join(' ')}: exit ${code}\n${stdout}${stderr}\n${await this.#everything()}`)
    return stdout
  }

  /** kill(1), which the image does not have, of a process in the container. */
  async kill(pid: number | undefined, signal: SignalName = 'KILL'): Promise<void> {
    await this.ok('sh', '-c', `kill -${signal} ${pid}`)
  }

  async status(): Promise<StatusResult> {
    return JSON.parse(await this.ok('hermes', '--json', 'status')) as StatusResult
  }

  /** Waits until the slot is as `wanted` says, and returns it. */
  slot(name: string, wanted: (slot: SlotStatus) => boolean, options: WaitOptions = {}): Promise<SlotStatus> {
    const find = (slots: readonly SlotStatus[]): SlotStatus => {
      const slot = slots.find((one) => one.slot === name)
      if (slot && wanted(slot)) return slot
      throw new Error(JSON.stringify(slot ?? slots))
    }
    return waitFor(
      `${name} to be as wanted`,
      async () => {
        // A command in the container is three processes: first look from here whether it is worth one.
        const near = await this.#nearSlots()
        if (near !== undefined) find(near)
        return find((await this.status()).slots)
      },
      { more: () => this.#everything(), ...options },
    )
  }

  up(name: string, options: WaitOptions = {}): Promise<SlotStatus> {
    return this.slot(name, (slot) => slot.state === 'up', options)
  }

  /** Output of `docker logs`. */
  async logs(): Promise<{ readonly stdout: string; readonly stderr: string }> {
    const { stdout, stderr } = await dockerCommand(['logs', this.id])
    return { stdout, stderr }
  }

  /** The first line of `docker logs`, of either stream, that holds `text` or matches it. */
  saw(text: string | RegExp, options: WaitOptions = {}): Promise<string> {
    const isIt = (line: string): boolean => (typeof text === 'string' ? line.includes(text) : text.test(line))
    return waitFor(`a line with ${text} in docker logs`, () => this.#follow(isIt, options.deadlineMs), {
      more: () => this.#everything(),
      ...options,
    })
  }

  /** Follows `docker logs` until a line is it; undefined: the container has ended, or `deadlineMs` has passed. */
  #follow(isIt: (line: string) => boolean, deadlineMs = 15_000): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      const client = spawn('docker', ['logs', '--follow', this.id], { stdio: ['ignore', 'pipe', 'pipe'] })
      const timer = setTimeout(() => client.kill(), deadlineMs)
      for (const stream of [client.stdout, client.stderr]) {
        let rest = ''
        stream.setEncoding('utf8').on('data', (text: string) => {
          const lines = (rest + text).split(/\r?\n/)
          rest = lines.at(-1) ?? ''
          const line = lines.find(isIt)
          if (line === undefined) return
          resolve(line)
          client.kill()
        })
      }
      client.once('error', reject)
      client.once('close', () => {
        clearTimeout(timer)
        resolve(undefined)
      })
    })
  }

  /** A file of the volume, as the host sees it; undefined: not there. */
  file(path: string): string | undefined {
    try {
      return readFileSync(join(this.home, path), 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** The container's exit code, once it has ended. */
  async exit({ deadlineMs = 20_000 }: WaitOptions = {}): Promise<number> {
    try {
      const { code, stdout, stderr } = await dockerCommand(['wait', this.id], { timeoutMs: stretchedMs(deadlineMs) })
      if (code !== 0) throw new Error(stderr)
      return Number(stdout)
    } catch (cause) {
      throw new Error(`waited ${deadlineMs} ms for the container to end; ${await this.#everything()}`, { cause })
    }
  }

  /** `docker stop`. @returns its wall time and the container's exit code */
  async stop(): Promise<{ readonly ms: number; readonly code: number }> {
    const startedAtMs = performance.now()
    await this.docker('stop')
    return { ms: performance.now() - startedAtMs, code: await this.exit() }
  }

  /** `docker VERB [ARGS] ID`: restart, start, kill, pause … */
  async docker(verb: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await dockerCommand([verb, ...args, this.id])
    if (code !== 0) throw new Error(`docker ${verb}: exit ${code}: ${stderr}`)
    return stdout.trim()
  }

  inspect(format: string): Promise<string> {
    return this.docker('inspect', '--format', format)
  }

  /**
   * The slots, by the control socket as root of the host sees it.
   * @returns undefined: it is not in our reach, or there is none yet
   */
  async #nearSlots(): Promise<readonly SlotStatus[] | undefined> {
    if (this.#pid === undefined || !existsSync(`/proc/${this.#pid}`))
      this.#pid = Number(await this.inspect('{{.State.Pid}}'))
    const socket = `/proc/${this.#pid}/root/run/hermes/control.sock`
    if (!existsSync(socket)) return undefined
    const client = await connectControl(socket)
    try {
      return (await client.request('status', {})).slots
    } finally {
      client.close()
    }
  }

  async #everything(): Promise<string> {
    const { stdout, stderr } = await this.logs()
    const state = await this.inspect('{{.State.Status}} {{.State.ExitCode}}')
    return `container ${state}; stdout:\n${stdout}\nstderr:\n${stderr}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await dockerCommand(['rm', '--force', '--volumes', this.id])
    if (this.#ownsHome) rmSync(this.home, { recursive: true, force: true })
  }
}

/** Runs the docker client. Never rejects for its exit code. */
export function dockerCommand(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return tryRun('docker', args, options)
}
