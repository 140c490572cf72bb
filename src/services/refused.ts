import type { Fault } from '../system/files/trust.ts'

/** Thrown while one definition is read, and caught where the next one begins: the definition is left out by name. */
export class Refused extends Error {
  readonly fault: Fault
  constructor(fault: Fault) {
    super(fault.message)
    this.fault = fault
  }
}

export const refused = (file: string, message: string, repair: string): Refused =>
  new Refused({ file, message, repair })
