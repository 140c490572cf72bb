// The nodes of a storm: containers on a network of their own, each with its volume and its profiles.
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tryRun } from '../../scripts/run.ts'
import { type Box, freshHome, startContainer } from '../support/container/container.ts'
import { docker } from '../support/container/engine.ts'
import { type Life, readAccount } from './check/account.ts'
import { type GatewayLife, readGateways } from './check/gateways.ts'
import { GATEWAY } from './gateway.ts'
import { WORKER } from './worker.ts'

export interface Network extends AsyncDisposable {
  readonly name: string
  /** Where containers in it reach this machine. */
  readonly gateway: string
}

export async function makeNetwork(name: string): Promise<Network> {
  await docker(['network', 'create', name])
  const gateway = await docker(['network', 'inspect', name, '--format', '{{(index .IPAM.Config 0).Gateway}}'])
  return {
    name,
    gateway,
    async [Symbol.asyncDispose]() {
      await docker(['network', 'rm', name])
    },
  }
}

export interface StormProfile {
  readonly name: string
  /** Its gateway is to run. */
  readonly wanted: boolean
}

export interface NodeOptions {
  readonly name: string
  readonly network: string
  /** Address of the board's database. */
  readonly database: string
  readonly profiles: readonly StormProfile[]
  /** `kanban:` of config.yaml. */
  readonly kanban: Readonly<Record<string, unknown>>
}

const ACCOUNT = 'account'
const GATEWAYS = 'gateways'
const DATA = '/opt/data'

export class StormNode implements AsyncDisposable {
  readonly name: string
  readonly box: Box
  readonly #network: string

  private constructor({ name, network }: NodeOptions, box: Box) {
    this.name = name
    this.box = box
    this.#network = network
  }

  static async start(options: NodeOptions): Promise<StormNode> {
    const { name, network, database, profiles, kanban } = options
    const agent = { command: ['bash', `${DATA}/worker`, `${DATA}/${ACCOUNT}`] }
    const home = freshHome()
    for (const account of [ACCOUNT, GATEWAYS]) {
      writeFileSync(join(home, account), '')
      chmodSync(join(home, account), 0o666) // also for the runtime user
    }
    const box = await startContainer({
      home,
      network,
      hostname: name,
      env: { HERMES_KANBAN_DATABASE: database, HERMES_NODE: name },
      files: {
        'config.yaml': JSON.stringify({ kanban }),
        worker: WORKER,
        gateway: GATEWAY,
        ...Object.assign({}, ...profiles.map((profile) => filesOf(profile, agent))),
      },
    })
    return new StormNode(options, box)
  }

  /** The account of its workers so far. */
  lives(): readonly Life[] {
    return readAccount(this.name, readFileSync(join(this.box.home, ACCOUNT), 'utf8'))
  }

  /** The account of its gateways so far. */
  gatewayLives(): readonly GatewayLife[] {
    return readGateways(this.name, readFileSync(join(this.box.home, GATEWAYS), 'utf8'))
  }

  /** Profiles whose gateways are up now. */
  async up(): Promise<readonly string[]> {
    const { slots } = await this.box.status()
    return slots.flatMap(({ profile, state }) => (profile !== undefined && state === 'up' ? [profile] : []))
  }

  disconnect = (): Promise<string> => docker(['network', 'disconnect', this.#network, this.box.id])
  connect = (): Promise<string> => docker(['network', 'connect', this.#network, this.box.id])

  /** iptables(8) in the network namespace of the container: rules end with its life. */
  async iptables(...args: readonly string[]): Promise<void> {
    const pid = await this.box.inspect('{{.State.Pid}}')
    const { code, stderr } = await tryRun('nsenter', ['--target', pid, '--net', 'iptables', '--wait', ...args])
    if (code !== 0) throw new Error(`iptables ${args.join(' ')} in ${this.name}: ${stderr}`)
  }

  /** @returns undefined: it is not in the network now */
  async address(): Promise<string | undefined> {
    const format = `{{with index .NetworkSettings.Networks "${this.#network}"}}{{.IPAddress}}{{end}}`
    return (await this.box.inspect(format)) || undefined
  }

  /**
   * kill -9, by the pid on this machine.
   * @param program a part of its command line
   * @returns whether there was such a process
   */
  async killProgram(program: string): Promise<boolean> {
    const processes = await docker(['top', this.box.id, '-eo', 'pid,args'])
    const pids = processes.split('\n').flatMap((line) => {
      const [, pid = '', args = ''] = /^\s*(\d+)\s+(.*)$/.exec(line) ?? []
      return args.includes(program) ? [Number(pid)] : []
    })
    for (const pid of pids) process.kill(pid, 'SIGKILL')
    return pids.length > 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.box[Symbol.asyncDispose]()
    rmSync(this.box.home, { recursive: true, force: true })
  }
}

/** Files of a profile, by their path in the volume. */
function filesOf({ name, wanted }: StormProfile, agent: object): Readonly<Record<string, string>> {
  const command = ['bash', `${DATA}/gateway`, `${DATA}/${GATEWAYS}`, name]
  return {
    [`profiles/${name}/config.yaml`]: JSON.stringify({ agent, gateway: { command, ready_after: '50ms' } }),
    [`profiles/${name}/desired_state`]: wanted ? 'running\n' : 'stopped\n',
  }
}
