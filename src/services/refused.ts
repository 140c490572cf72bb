import type { Fault } from '../system/files/trust.ts'

/** Thrown while one definition is read, and caught where the next one begins: the definition is left out by name. */
export class RefusedDefinition extends Error {
  readonly fault: Fault
  constructor(fault: Fault) {
    super(fault.message)
    this.fault = fault
  }
}

export const refused = (file: string, message: string, repair: string): RefusedDefinition =>
  new RefusedDefinition({ file, message, repair })
