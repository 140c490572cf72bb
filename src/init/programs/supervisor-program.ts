import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { PROTOCOL_FD, type SupervisorStart } from '../../protocol/start-up.ts'
import type { ConsoleSink } from '../../system/native/console-sink.ts'
import type { SpawnedProgram } from '../../system/native/native.ts'
import { ownNode } from '../../system/programs/own-node.ts'
import type { InitFacts, InitOptions } from '../facts/facts.ts'
import { SAFE_PATH } from '../facts/root-environment.ts'

/** The supervisor's descriptor of the control socket. */
const CONTROL_FD = 4
const STDOUT_FD = 5
const STDERR_FD = 6

/** Descriptors that every supervisor of a container life inherits. */
export interface Inherited {
  readonly stdout: ConsoleSink
  readonly stderr: ConsoleSink
  /** The control socket, which may begin to listen later. */
  readonly control?: number
}

/**
 * How the supervisor is started. Not through setpriv: it drops root itself, so no process of the runtime user can
 * read its memory (bin/supervisor.ts). It gets everything else as `SupervisorStart`, on PROTOCOL_FD, so its Node can
 * load while init still prepares the container.
 * @param install the directory that holds `lib`
 */
export function supervisorProgram(install: string, { stdout, stderr, control }: Inherited): SpawnedProgram {
  const [file, ...args] = ownNode('supervisor', install)
  const sink = ({ fd, kind }: ConsoleSink): number | 'ignore' => (kind === 'none' ? 'ignore' : fd)
  return {
    file,
    args,
    env: { PATH: SAFE_PATH },
    cwd: '/',
    // fd 2 is for the last output of Node itself.
    fds: [
      'ignore',
      'ignore',
      stderr.kind === 'none' ? 'ignore' : 2,
      'ignore',
      control ?? 'ignore',
      sink(stdout),
      sink(stderr),
    ],
  }
}

export interface SupervisorStartFacts extends Pick<InitOptions, 'foreground' | 'argv'> {
  readonly inherited: Inherited
  readonly facts: InitFacts
  readonly run: Pick<SupervisorStart, 'runDir' | 'layout'>
}

export const supervisorStart = ({
  facts,
  run,
  inherited: { stdout, stderr, control },
  foreground,
  argv,
}: SupervisorStartFacts): SupervisorStart => ({
  protocolFd: PROTOCOL_FD,
  ...(control !== undefined && { controlFd: CONTROL_FD }),
  stdout: { fd: STDOUT_FD, kind: stdout.kind },
  stderr: { fd: STDERR_FD, kind: stderr.kind },
  home: facts.home,
  runDir: run.runDir,
  layout: run.layout,
  instance: randomName(),
  hostname: hostname(),
  pid1: facts.pid1,
  identity: facts.identity,
  dropped: facts.dropped,
  ...(facts.walls && {
    profileUids: { ...facts.walls.range, ...(facts.walls.obstacle && { obstacle: facts.walls.obstacle }) },
  }),
  hasDatabase: facts.hasDatabase,
  foreground,
  main: argv,
})

/** 16 hex digits. From the kernel: node:crypto takes 7 ms to load. */
const randomName = (): string =>
  readFileSync('/proc/sys/kernel/random/uuid', 'latin1').replaceAll('-', '').slice(-17, -1)
