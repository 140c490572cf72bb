import { type Change, DONE } from '../../access/audit-entry.ts'
import type { AuditFacts, AuditFile } from '../../access/audit-file.ts'
import { type ControlError, RECORDED_OPS, type Request } from '../../protocol/control.ts'
import type { Clock } from '../../system/clock.ts'
import { profileOfSlot } from '../../system/paths.ts'
import { ThrottledWriter } from '../../system/throttled-writer.ts'

export interface AuditTrailOptions extends AuditFacts {
  readonly clock: Clock
}

/** s6's tools write a letter into a FIFO, which does not say who wrote it. */
const UNKNOWN = 'unknown'

/** The changes that reach the supervisor, for the audit log: those of commands, and those of s6's tools. */
export class AuditTrail {
  readonly #options: AuditTrailOptions
  #file: Promise<AuditFile> | undefined
  /** A program that sends a letter a second must not fill the file. */
  readonly #s6: ThrottledWriter<Change>

  constructor(options: AuditTrailOptions) {
    this.#options = options
    this.#s6 = new ThrottledWriter(options.clock, (change, more) =>
      this.#write(more === 0 ? change : { ...change, more }),
    )
  }

  /** An operation is over. @param error its answer, if it failed */
  operation(request: Request, error?: ControlError): void {
    const change = changeOf(request, error)
    if (change !== undefined) this.#write(change)
  }

  /** @param tool with its option, if it has a meaning: slots may write any byte */
  s6(tool: string, target: string | null): void {
    const action = /^[\w -]+$/.test(tool) ? tool : 's6-svc'
    this.#s6.add(`${action} ${target}`, { actor: UNKNOWN, via: 's6', action, target, result: 'sent' })
  }

  /** Loaded for the first line: a supervisor whose slots are left alone does without it. */
  #write(change: Change): void {
    this.#file ??= import('../../access/audit-file.ts').then((loaded) => new loaded.AuditFile(this.#options))
    void this.#file.then((file) => file.write(change))
  }
}

/** @returns undefined for one that is not recorded here: its program does that, or it is a step of a larger one */
export function changeOf(request: Request, error: ControlError | undefined): Change | undefined {
  const { op, by } = request
  if (by === undefined || !RECORDED_OPS.has(op)) return undefined
  if ('keepDesired' in request && request.keepDesired) return undefined
  if ('dryRun' in request && request.dryRun) return undefined
  const slot = 'slot' in request ? (request.slot ?? null) : null
  const result = error === undefined ? DONE : error.code.toLowerCase()
  return { actor: by, via: 'cli', ...actionOf(op, slot), result }
}

/** In the words of the command that was typed: `gateway restart` of `coder`. */
function actionOf(op: Request['op'], slot: string | null): Pick<Change, 'action' | 'target'> {
  if (op === 'reload-services') return { action: 'service reload', target: null }
  const profile = slot === null ? undefined : profileOfSlot(slot)
  if (profile !== undefined) return { action: `gateway ${op}`, target: profile }
  if (slot?.startsWith('service-')) return { action: `service ${op}`, target: slot.slice('service-'.length) }
  return { action: slot === 'dashboard' ? `dashboard ${op}` : `slot ${op}`, target: slot }
}
