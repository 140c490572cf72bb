/** Facts that init passes to the supervisor at its start. */
import type { ConsoleSink } from '../system/native/console-sink.ts'

/** The supervisor's descriptor of the socket to init. */
export const PROTOCOL_FD = 3

/** The first line that the supervisor reads, as JSON. File descriptors are inherited. */
export interface SupervisorStart {
  readonly protocolFd: number
  /** Listening control socket, bound by init; absent when it could not be made. */
  readonly controlFd?: number
  readonly stdout: ConsoleSink
  readonly stderr: ConsoleSink
  readonly home: string
  readonly runDir: string
  readonly layout: 'image' | 'private'
  /** Random, one per container life. */
  readonly instance: string
  readonly hostname: string
  /** We are PID 1 of our namespace. */
  readonly pid1: boolean
  /** Slots run as this identity; equal to our own where nothing is dropped. */
  readonly identity: RuntimeIdentity
  /** Root is dropped on the way to the slots (started as root through /init), and by the supervisor itself. */
  readonly dropped: boolean
  /** Ids for walled profiles; absent: HERMES_PROFILE_UIDS is not set. */
  readonly profileUids?: {
    readonly first: number
    readonly last: number
    /** Why no profile can be walled here. */
    readonly obstacle?: string
  }
  /** The board is in a database: the dispatcher runs, whatever is in the volume. */
  readonly hasDatabase: boolean
  /** `npm start`: counts as an operator's start of the default gateway. */
  readonly foreground: boolean
  /** Arguments of the main program; empty if there is none. With `dashboard`, there are no gateway slots. */
  readonly main: readonly string[]
}

export interface RuntimeIdentity {
  readonly uid: number
  readonly gid: number
  readonly groups: readonly number[]
  readonly user: string
  /** HOME of every child. */
  readonly home: string
}
