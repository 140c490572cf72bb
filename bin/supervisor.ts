// Policy: decides about slots. Started by init with one argument, SupervisorStart as JSON, and with inherited descriptors.
import { dirname } from 'node:path'
import type { SupervisorStart } from '../src/protocol/init.ts'
import { Supervisor } from '../src/supervisor/supervisor.ts'
import { systemClock } from '../src/system/clock.ts'
import { loadNative } from '../src/system/native-libc.ts'

declare const HERMES_VERSION: string

// init says what a missing binding costs; here it is one console sink that cannot be written without it.
loadNative().then(
  ({ native }) =>
    new Supervisor({
      start: JSON.parse(process.argv[2] ?? '') as SupervisorStart,
      install: dirname(__dirname),
      version: HERMES_VERSION,
      clock: systemClock(),
      native,
      random: Math.random,
      // process.exit can hang for ever in a join of V8's workers.
      exit: (code) => native.exitNow(code),
    }),
)
