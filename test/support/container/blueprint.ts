// How a container of a test is made: its options, as testcontainers hands them to the engine.
import { GenericContainer, type WaitStrategy } from 'testcontainers'

// Its image cannot be pulled where no registry is reached; what we start is removed by `await using`.
process.env.TESTCONTAINERS_RYUK_DISABLED = 'true'

export interface BoxOptions {
  /** Arguments after `docker run IMAGE`; default: none. */
  readonly command?: readonly string[]
  readonly entrypoint?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly user?: string
  readonly workdir?: string
  readonly tty?: boolean
  readonly init?: boolean
  readonly readOnly?: boolean
  /** Path → mount options. */
  readonly tmpfs?: Readonly<Record<string, string>>
  readonly capDrop?: readonly string[]
  readonly capAdd?: readonly string[]
  readonly privileged?: boolean
  /** The cgroups of this machine, to be written to. */
  readonly hostCgroups?: boolean
  readonly groupAdd?: readonly string[]
  readonly securityOpt?: readonly string[]
  readonly pidsLimit?: number
  /** Bytes, without swap. */
  readonly memory?: number
  /** Most descriptors a process may have. */
  readonly openFiles?: number
  readonly hostname?: string
  /** A network by its name. `host`: none of its own, so that the loopback of this machine is in its reach. */
  readonly network?: string
  /** Further bind mounts: `[host, container]` or `[host, container, 'ro']`. */
  readonly mounts?: readonly (readonly [string, string, ('ro' | 'rw')?])[]
  /** Host directory of the volume, or a named one; default: a new directory that goes with the box. */
  readonly home?: string
  /** Initial files of the volume: path → text. Root's, as a careless host makes it. */
  readonly files?: Readonly<Record<string, string>>
  readonly image?: string
  /** A port that is published on 127.0.0.1; {@link Box.port} says where. */
  readonly publish?: number
}

/** @param home host directory of the volume, or a named one */
export class Blueprint extends GenericContainer {
  constructor(image: string, options: BoxOptions, home: string) {
    super(image)
    this.createOpts = {
      ...this.createOpts,
      ...(options.command && { Cmd: [...options.command] }),
      ...(options.entrypoint && { Entrypoint: [...options.entrypoint] }),
      ...(options.user !== undefined && { User: options.user }),
      ...(options.workdir !== undefined && { WorkingDir: options.workdir }),
      ...(options.hostname !== undefined && { Hostname: options.hostname }),
      ...(options.tty && { Tty: true, OpenStdin: true }),
      Env: Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`),
    }
    this.hostConfig = {
      ...this.hostConfig,
      Binds: [
        `${home}:/opt/data`,
        ...(options.mounts ?? []).map((mount) => mount.join(':')),
        ...(options.hostCgroups ? ['/sys/fs/cgroup:/sys/fs/cgroup:rw'] : []),
      ],
      ...(options.hostCgroups && { CgroupnsMode: 'host' as const }),
      ...(options.init && { Init: true }),
      ...(options.publish !== undefined && {
        PortBindings: { [`${options.publish}/tcp`]: [{ HostIp: '127.0.0.1', HostPort: '' }] },
      }),
      ...(options.readOnly && { ReadonlyRootfs: true }),
      ...(options.tmpfs && { Tmpfs: { ...options.tmpfs } }),
      ...(options.capDrop && { CapDrop: [...options.capDrop] }),
      ...(options.capAdd && { CapAdd: [...options.capAdd] }),
      ...(options.privileged && { Privileged: true }),
      ...(options.securityOpt && { SecurityOpt: [...options.securityOpt] }),
      ...(options.pidsLimit !== undefined && { PidsLimit: options.pidsLimit }),
      ...(options.memory !== undefined && { Memory: options.memory, MemorySwap: options.memory }),
      ...(options.groupAdd && { GroupAdd: [...options.groupAdd] }),
      ...(options.openFiles !== undefined && {
        Ulimits: [{ Name: 'nofile', Soft: options.openFiles, Hard: options.openFiles }],
      }),
    }
    if (options.network !== undefined) this.withNetworkMode(options.network)
    this.withWaitStrategy(new Started())
  }
}

/** Waits for nothing: what a test waits for is its own affair, and a container that ends at once is a fine subject. */
class Started implements WaitStrategy {
  async waitUntilReady(): Promise<void> {}
  withStartupTimeout(): this {
    return this
  }
  isStartupTimeoutSet(): boolean {
    return false
  }
  getStartupTimeout(): number {
    return 0
  }
}
