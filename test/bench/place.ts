import type { SignalName } from '../../src/system/signals.ts'
import { type NamespaceProcess, runAsPid1 } from '../support/supervisor/namespace.ts'
import type { WaitOptions } from '../support/wait.ts'
import type { Launch } from './subject.ts'

/** PID 1 of whatever a subject runs in. */
export interface Init extends AsyncDisposable {
  /** Its pid as we see it. */
  readonly pid: number
  readonly hasEnded: boolean
  stdout(): string
  stderr(): string
  /** Sends the signal; in a container the engine sends it. */
  signal(name: SignalName): void
  /** Resolves when it has ended, and in a container when the engine says so. */
  exit(options?: WaitOptions): Promise<unknown>
  processes(): readonly NamespaceProcess[]
  outsidePid(inside: number): number | undefined
}

export interface PlaceOptions {
  /** Holds programs, marks and whatever the subject has laid out; the same path inside. */
  readonly dir: string
  /** The FIFO that gets `start PID` at the moment in which PID 1 becomes the supervisor. */
  readonly marks: string
  readonly stdout: number | 'ignore' | undefined
}

/** Where supervisors run. */
export interface Place {
  start(launch: Launch, options: PlaceOptions): Promise<Init>
}

/** Our users' ids are looked up by name, and a benchmark must not change the machine. */
const PRIVATE_PASSWD = [
  'mkdir /run/names && cp /etc/passwd /etc/group /run/names/',
  'echo hermes:x:10000:10000::/opt/data:/bin/sh >>/run/names/passwd && echo hermes:x:10000: >>/run/names/group',
  'mount --bind /run/names/passwd /etc/passwd && mount --bind /run/names/group /etc/group',
].join('\n')

/** PID and mount namespaces on this machine. */
export const inNamespace: Place = {
  start: ({ argv, env }, { marks, stdout }) =>
    runAsPid1(argv, {
      env,
      prepare: `${PRIVATE_PASSWD}\necho "start $$" >${marks}`,
      ...(stdout !== undefined && { stdout }),
    }),
}
