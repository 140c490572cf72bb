// Performs the faults of a schedule, and undoes them.
import { setTimeout as pause } from 'node:timers/promises'
import { type Box, dockerCommand } from '../support/container/container.ts'
import type { PostgresServer } from '../support/kanban/postgres.ts'
import type { StormNode } from './nodes.ts'
import { startRelay } from './relay.ts'
import { type Fault, faultLine } from './schedule.ts'

/** A fault as it really was. Instants are those of the machine's clock, ms. */
export interface Happened {
  readonly fault: Fault
  readonly beganAtMs: number
  /** Absent: it is not undone yet. */
  readonly undoneAtMs?: number
  /** Why nothing happened: there was nothing to break. */
  readonly without?: string
}

export interface Scene {
  readonly nodes: readonly StormNode[]
  readonly server: PostgresServer
  /** Where nodes reach the server. */
  readonly databaseHost: string
  readonly databasePort: number
}

const DELAY_MS = 2000
const FREEZES = 5
const LOSS = ['-m', 'statistic', '--mode', 'random', '--probability', '0.3']

type Undo = () => Promise<void>

/** Faults in their order, each at its time, or as soon as an earlier one that it waits for is undone. */
export class Faults {
  readonly #scene: Scene
  readonly #happened: Happened[] = []
  readonly #say: (line: string) => void
  /** The undoing that is under way: of a node's fault, and of the database's. */
  #nodeUndone: Promise<void> = Promise.resolve()
  #databaseUndone: Promise<void> = Promise.resolve()
  readonly #away = new Set<string>()

  constructor(scene: Scene, say: (line: string) => void) {
    this.#scene = scene
    this.#say = say
  }

  get happened(): readonly Happened[] {
    return this.#happened
  }

  /** Names of what is away now. */
  get away(): readonly string[] {
    return [...this.#away]
  }

  /** Resolves when the last one is undone. @throws when one cannot be performed or undone */
  async run(faults: readonly Fault[]): Promise<void> {
    const startedAtMs = Date.now()
    for (const fault of faults) {
      await pause(Math.max(0, startedAtMs + fault.atMs - Date.now()))
      if (isOfDatabase(fault)) await this.#databaseUndone
      else if (fault.lastsMs > 0) await this.#nodeUndone
      await this.#begin(fault)
    }
    await Promise.all([this.#nodeUndone, this.#databaseUndone])
  }

  async #begin(fault: Fault): Promise<void> {
    const beganAtMs = Date.now()
    const at = this.#happened.push({ fault, beganAtMs }) - 1
    this.#say(faultLine(fault))
    const undo = await this.#perform(fault)
    if (typeof undo === 'string') this.#happened[at] = { fault, beganAtMs, undoneAtMs: beganAtMs, without: undo }
    if (typeof undo !== 'function') return
    const name = isOfDatabase(fault) ? 'the database' : (fault.node ?? '')
    this.#away.add(name)
    const undone = (async () => {
      await pause(fault.lastsMs)
      await undo()
      this.#away.delete(name)
      this.#happened[at] = { fault, beganAtMs, undoneAtMs: Date.now() }
    })()
    undone.catch(() => undefined) // the next one that waits for it reports it
    if (isOfDatabase(fault)) this.#databaseUndone = undone
    else this.#nodeUndone = undone
  }

  /** @returns how to undo it; undefined: it is over; a text: why it could not be */
  async #perform(fault: Fault): Promise<Undo | undefined | string> {
    const { server } = this.#scene
    switch (fault.kind) {
      case 'database-stop':
        await server.crash()
        return () => server.again()
      case 'database-terminate':
        return this.#terminate(fault.node)
      case 'kill': {
        const { box } = this.#node(fault.node)
        await box.docker('kill')
        return async () => void (await box.docker('start'))
      }
      case 'pause': {
        const { box } = this.#node(fault.node)
        if (!(await isPaused(box))) return 'the engine could not freeze it'
        return async () => void (await box.docker('unpause'))
      }
      case 'disconnect': {
        const node = this.#node(fault.node)
        await node.disconnect()
        return async () => void (await node.connect())
      }
      case 'drop-sent':
        return this.#filter(fault.node, [['OUTPUT', '!', '-o', 'lo', '-j', 'DROP']])
      case 'drop-received':
        return this.#filter(fault.node, [['INPUT', '!', '-i', 'lo', '-j', 'DROP']])
      case 'loss':
        return this.#filter(fault.node, [
          ['OUTPUT', '!', '-o', 'lo', ...LOSS, '-j', 'DROP'],
          ['INPUT', '!', '-i', 'lo', ...LOSS, '-j', 'DROP'],
        ])
      case 'delay':
        return this.#delay(fault.node)
      case 'kill-supervisor':
        return (await this.#node(fault.node).killProgram('lib/supervisor.cjs')) ? undefined : 'no supervisor was there'
      case 'kill-dispatcher':
        return (await this.#node(fault.node).killProgram('kanban dispatcher')) ? undefined : 'no dispatcher was there'
    }
  }

  #node(name: string): StormNode {
    const found = this.#scene.nodes.find((node) => node.name === name)
    if (found === undefined) throw new Error(`the schedule names ${name}, which is not a node`)
    return found
  }

  async #filter(name: string, rules: readonly (readonly string[])[]): Promise<Undo> {
    const node = this.#node(name)
    for (const rule of rules) await node.iptables('-A', ...rule)
    return async () => {
      for (const rule of rules) await node.iptables('-D', ...rule)
    }
  }

  /** New connections lead through a relay, and the old ones end. */
  async #delay(name: string): Promise<Undo> {
    const { databaseHost, databasePort } = this.#scene
    const node = this.#node(name)
    const relay = await startRelay(databaseHost, databasePort, DELAY_MS)
    const to = `${databaseHost}:${relay.port}`
    const rule = ['OUTPUT', '-p', 'tcp', '-d', databaseHost, '--dport', String(databasePort), '-j', 'DNAT']
    await node.iptables('-t', 'nat', '-I', ...rule, '--to-destination', to)
    await this.#terminate(name)
    return async () => {
      await node.iptables('-t', 'nat', '-D', ...rule, '--to-destination', to)
      await relay[Symbol.asyncDispose]()
    }
  }

  /** Ends connections in the middle of whatever they do. */
  async #terminate(name: string | undefined): Promise<string | undefined> {
    if (this.#away.has('the database')) return 'the database is away'
    const address = name === undefined ? undefined : await this.#node(name).address()
    if (name !== undefined && address === undefined) return 'the node is not in the network'
    const ofNode = address === undefined ? '' : `AND client_addr = '${address}'`
    const backends = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hermes' ${ofNode}`
    return this.#scene.server.psql(backends) === '' ? 'no connection was there' : undefined
  }
}

/** The freezer of cgroup v1 gives up on a container that forks all the time, and says so; then it is asked again. */
async function isPaused(box: Box): Promise<boolean> {
  for (let attempt = 1; attempt <= FREEZES; attempt++) {
    const { code, stderr } = await dockerCommand(['pause', box.id])
    if (code === 0) return true
    if (!stderr.includes('unable to freeze')) throw new Error(`docker pause: exit ${code}: ${stderr}`)
  }
  return false
}

const isOfDatabase = ({ kind }: Fault): boolean => kind === 'database-stop' || kind === 'database-terminate'
