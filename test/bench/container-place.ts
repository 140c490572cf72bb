import { existsSync } from 'node:fs'
import type { SignalName } from '../../src/system/signals.ts'
import { docker } from '../support/container/engine.ts'
import { type NamespaceProcess, processesBeside } from '../support/supervisor/namespace.ts'
import { type WaitOptions, within } from '../support/wait.ts'
import type { Init, Place, PlaceOptions } from './place.ts'
import type { Launch } from './subject.ts'

/** Longer than any supervisor here takes for its stop. */
const STOP_TIMEOUT_S = 60

/**
 * Containers of an image, without a network. Their standard output goes to the engine.
 * @param home directory that `lay` makes inside the subject's own, to be the volume; absent: there is none
 */
export const inContainer = (image: string, home?: string): Place => ({
  start: (launch, options) => ContainerInit.start(image, launch, options, home),
})

class ContainerInit implements Init {
  readonly pid: number
  readonly #id: string
  #stopping: Promise<unknown> | undefined

  private constructor(id: string, pid: number) {
    this.#id = id
    this.pid = pid
  }

  static async start(
    image: string,
    { argv, env, stop }: Launch,
    { dir, marks }: PlaceOptions,
    home: string | undefined,
  ): Promise<ContainerInit> {
    const id = await docker([
      'run',
      '--detach',
      '--network=none',
      `--stop-signal=${'command' in stop ? stop.lastly : stop.signal}`,
      `--volume=${dir}:${dir}`,
      ...(home === undefined ? [] : [`--volume=${dir}/subject/${home}:/opt/data`]),
      ...Object.entries(env).map(([name, value]) => `--env=${name}=${value}`),
      '--entrypoint=/bin/sh',
      image,
      '-c',
      `echo "start $$" >${marks}; exec "$@"`,
      'sh',
      ...argv,
    ])
    return new ContainerInit(id, Number(await docker(['inspect', '--format', '{{.State.Pid}}', id])))
  }

  get hasEnded(): boolean {
    return !existsSync(`/proc/${this.pid}`)
  }

  stdout(): string {
    return ''
  }

  /** A failure names the container; `docker logs` has the rest. */
  stderr(): string {
    return `see docker logs ${this.#id}\n`
  }

  /** `docker stop`: the container was started with this signal as its own. */
  signal(_: SignalName): void {
    this.#stopping = docker(['stop', '--time', String(STOP_TIMEOUT_S), this.#id])
  }

  async exit(options: WaitOptions = {}): Promise<void> {
    await within('docker stop to end', this.#stopping ?? docker(['wait', this.#id]), options)
  }

  processes(): readonly NamespaceProcess[] {
    return processesBeside(this.pid)
  }

  outsidePid(inside: number): number | undefined {
    return this.processes().find((process) => process.inside === inside)?.outside
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await docker(['rm', '--force', '--volumes', this.#id])
  }
}
