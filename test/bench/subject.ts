import type { Place } from './place.ts'

/** One supervisor that is measured: ours or a peer found on the machine. */
export interface Subject {
  readonly name: string
  readonly version: string
  /** Most slots it is asked to hold; beyond it a row says nothing about it. */
  readonly mostSlots: number
  /** Ours: the tree that its programs are in. */
  readonly install?: string
  /** Default: a namespace of this machine. */
  readonly place?: Place
  /** Lays the services out below `dir` (which exists, is empty, and everyone may enter). */
  lay(dir: string, services: readonly Service[]): Launch
}

export interface Service {
  /** `[a-z0-9-]+` */
  readonly name: string
  /** An executable file. */
  readonly program: string
  /** From the stop signal to KILL; default: the supervisor's own. */
  readonly stopTimeoutS?: number
}

export interface Launch {
  /** Run as PID 1. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** How an operator stops it so that every service gets the stop signal first. */
  readonly stop:
    | { readonly signal: 'TERM' | 'HUP' | 'INT' }
    | { readonly command: readonly string[]; readonly lastly: 'TERM' | 'HUP' }
  /** Asks about one service; run inside. Absent: it has no such command. */
  status?(service: string): readonly string[]
  /** Stops or starts one service, and waits for it; run inside. */
  control?(verb: 'stop' | 'start', service: string): readonly string[]
}

/** Found, or the reason why it is left out. */
export type Found = Subject | { readonly name: string; readonly missing: string }
