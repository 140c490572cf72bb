// `hermes forwarder`. It lives for days and needs no command parser.
import { type ForwarderBundle, runForwarder } from '../../../src/forward/program/forwarder-program.ts'

export const forwarderProgram: ForwarderBundle['forwarderProgram'] = runForwarder
