import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { SupervisorStart } from '../protocol/start-up.ts'
import type { ConsoleSink } from '../system/native/console-sink.ts'
import { ownNode } from '../system/programs/own-node.ts'
import type { RunDirectory } from './boot/run-directory.ts'
import type { Variables } from './facts/environment.ts'
import type { InitFacts, InitOptions } from './facts/facts.ts'
import type { SupervisorCommand } from './programs/supervisor-process.ts'

export interface SupervisorCommandFacts extends Pick<InitOptions, 'install' | 'foreground' | 'argv'> {
  readonly facts: InitFacts
  readonly run: RunDirectory
  readonly stdout: ConsoleSink
  readonly stderr: ConsoleSink
  /** The listening control socket, if there is one. */
  readonly controlFd?: number
  /** PATH and the runtime user's names: all it gets besides where the volume and the run directory are. */
  readonly env: Variables
}

/**
 * How the supervisor is started: it becomes the runtime user, without a way back; with descriptors instead of paths.
 */
export function supervisorCommand(o: SupervisorCommandFacts): SupervisorCommand {
  const { facts, run, stdout, stderr, controlFd } = o
  const { home, pid1, identity, dropped } = facts
  // fd 3 is the protocol's socket; these follow it in this order.
  const inherited = [controlFd, ...[stdout, stderr].map(({ fd, kind }) => (kind === 'none' ? undefined : fd))]
  const start: SupervisorStart = {
    protocolFd: 3,
    ...(controlFd !== undefined && { controlFd: 4 }),
    stdout: { fd: 5, kind: stdout.kind },
    stderr: { fd: 6, kind: stderr.kind },
    home,
    runDir: run.paths.runDir,
    layout: run.layout,
    instance: randomName(),
    hostname: hostname(),
    pid1,
    identity,
    dropped,
    foreground: o.foreground,
    main: o.argv,
  }
  const [file = '', ...args] = [...ownNode('supervisor', o.install), JSON.stringify(start)]
  return {
    // Not through setpriv: it drops root itself, so that no process of the runtime user can read its memory
    // (bin/supervisor.ts).
    file,
    args,
    env: { ...o.env, HERMES_HOME: home, HERMES_RUN_DIR: run.paths.runDir },
    stderrFd: stderr.kind === 'none' ? 'ignore' : 2,
    fds: inherited.map((fd) => fd ?? 'ignore'),
  }
}

/** 16 hex digits. From the kernel: node:crypto takes 7 ms to load. */
const randomName = (): string =>
  readFileSync('/proc/sys/kernel/random/uuid', 'latin1').replaceAll('-', '').slice(-17, -1)
