import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Sequenced, ToInit, ToSupervisor } from '../../../src/protocol/init.ts'
import type { SupervisorStart } from '../../../src/protocol/start-up.ts'
import { installDir } from '../install.ts'
import { waitFor } from '../wait.ts'

type OfType<T extends ToSupervisor['type']> = Extract<ToSupervisor, { type: T }>

/** One life of the supervisor init has started, obeying the test. */
export class FakeSupervisor {
  readonly start: SupervisorStart
  readonly env: Readonly<Record<string, string>>
  readonly uid: number
  readonly groups: readonly number[]
  /** Inside its PID namespace. */
  readonly pid: number
  readonly received: ToSupervisor[] = []
  readonly #socket: Socket
  #ended = false
  #requests: number

  constructor(socket: Socket, hello: Pick<FakeSupervisor, 'start' | 'env' | 'uid' | 'groups' | 'pid'>) {
    this.#socket = socket
    this.start = hello.start
    this.env = hello.env
    this.uid = hello.uid
    this.groups = hello.groups
    this.pid = hello.pid
    // Unlike those of other lives, whose failures are replayed to this one.
    this.#requests = hello.pid * 1000
    socket.on('close', () => {
      this.#ended = true
    })
  }

  get ended(): boolean {
    return this.#ended
  }

  send(message: ToInit): void {
    this.command({ send: message })
  }

  /** Bytes as they are, valid or not. */
  sendRaw(bytes: string | Buffer): void {
    this.command({ raw: Buffer.from(bytes).toString('base64') })
  }

  command(command: Readonly<Record<string, unknown>>): void {
    if (!this.#ended) this.#socket.write(`${JSON.stringify(command)}\n`)
  }

  /** Dies by its own hand on receiving a message of this type, or right after sending one (`sent:spawn`). */
  dieOn(type: ToSupervisor['type'] | `sent:${ToInit['type']}`): void {
    this.command({ dieOn: type })
  }

  async hello(): Promise<OfType<'welcome'>> {
    this.send({ type: 'hello', v: 1 })
    return this.got('welcome')
  }

  /** The welcome of an init that may not have looked at the volume's lock yet: with the state that follows then. */
  async helloWithLease(): Promise<OfType<'welcome'>> {
    const welcome = await this.hello()
    return welcome.lease === 'unknown' ? { ...welcome, lease: (await this.got('lease')).state } : welcome
  }

  /** @returns the request's number */
  spawn(slot: string, options: Partial<Extract<ToInit, { type: 'spawn' }>> = {}): number {
    const request = ++this.#requests
    this.send({
      type: 'spawn',
      request,
      slot,
      stopSignal: 'TERM',
      stopTimeoutMs: 10_000,
      notificationFd: null,
      killLeftovers: true,
      ...options,
    })
    return request
  }

  async spawned(
    slot: string,
    options: Partial<Extract<ToInit, { type: 'spawn' }>> = {},
  ): Promise<OfType<'spawned'>['facts']> {
    const request = this.spawn(slot, options)
    const answer = await this.first(
      `the answer to the start of ${slot}`,
      (m): m is OfType<'spawned'> | OfType<'spawn-failed'> =>
        (m.type === 'spawned' || m.type === 'spawn-failed') && m.request === request,
    )
    if (answer.type === 'spawned') return answer.facts
    throw new Error(`${slot} was not started: ${answer.error}`)
  }

  got<T extends ToSupervisor['type']>(type: T, matches: (m: OfType<T>) => boolean = () => true): Promise<OfType<T>> {
    return this.first(`a message ${type}`, (m): m is OfType<T> => m.type === type && matches(m as OfType<T>))
  }

  first<M extends ToSupervisor>(what: string, matches: (m: ToSupervisor) => m is M): Promise<M> {
    return waitFor(what, () => {
      const found = this.received.find(matches)
      if (found) return found
      throw new Error(`received: ${JSON.stringify(this.received.slice(-20))}`)
    })
  }

  /** Messages that must be acknowledged, in the order of their arrival. */
  sequenced(): Sequenced[] {
    return this.received.filter((m): m is Sequenced => 'seq' in m)
  }

  acknowledgeAll(): void {
    this.send({ type: 'ack', seq: Math.max(0, ...this.sequenced().map(({ seq }) => seq)) })
  }
}

/** Programs and native files that init and its children load. */
const BUNDLES = ['init', 'boot', 'repair', 'secrets', 'services', 'yaml', 'koffi']

/** An install tree whose supervisor is the fake one, and the line to its lives. */
export class FakeInstall implements AsyncDisposable {
  readonly dir: string
  readonly lives: FakeSupervisor[] = []
  readonly #server: Server

  private constructor(dir: string, server: Server) {
    this.dir = dir
    this.#server = server
  }

  static async make(): Promise<FakeInstall> {
    const dir = mkdtempSync(join(tmpdir(), 'hermes-fake-'))
    chmodSync(dir, 0o755)
    const source = installDir()
    mkdirSync(join(dir, 'lib'))
    cpSync(join(source, 'bin'), join(dir, 'bin'), { recursive: true })
    for (const name of readdirSync(join(source, 'lib')).filter((one) => BUNDLES.includes(one.split('.')[0] ?? '')))
      cpSync(join(source, 'lib', name), join(dir, 'lib', name))
    cpSync(join(import.meta.dirname, '../programs/fake-supervisor.cjs'), join(dir, 'lib', 'supervisor.cjs'))
    const server = createServer()
    const install = new FakeInstall(dir, server)
    server.on('connection', (socket) => install.#take(socket))
    const socketPath = join(dir, 'lib', 'fake.sock')
    await new Promise<void>((resolve) => server.listen(socketPath, resolve))
    chmodSync(socketPath, 0o777)
    return install
  }

  /** The n-th supervisor init has started, from 1. */
  life(n: number): Promise<FakeSupervisor> {
    return waitFor(`supervisor number ${n}`, () => this.lives[n - 1])
  }

  #take(socket: Socket): void {
    let rest = ''
    let fake: FakeSupervisor | undefined
    socket.on('error', () => undefined) // it was killed
    socket.setEncoding('utf8').on('data', (text: string) => {
      const all = (rest + text).split('\n')
      rest = all.pop() ?? ''
      for (const line of all) {
        const message = JSON.parse(line)
        if (fake === undefined) {
          fake = new FakeSupervisor(socket, message)
          this.lives.push(fake)
        } else fake.received.push(message.line)
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => {
      this.#server.close(resolve)
      for (const life of this.lives) life.command({ close: true })
    })
    rmSync(this.dir, { recursive: true, force: true })
  }
}
