// Policy: decides about slots. Started by init with one argument, SupervisorStart as JSON, and with inherited
// descriptors.
import { dirname } from 'node:path'
import { becomeUser } from '../src/cli/terminal/drop.ts'
import type { SupervisorStart } from '../src/protocol/start-up.ts'
import { Supervisor } from '../src/supervisor/supervisor.ts'
import { systemClock } from '../src/system/clock.ts'
import { loadNative } from '../src/system/native/native-libc.ts'

declare const HERMES_VERSION: string

// init reports the effects of a missing binding; here one console sink cannot be written without it.
loadNative().then(({ native }) => {
  const start = JSON.parse(process.argv[2] ?? '') as SupervisorStart
  // Before reading anything that others can write. Here and not earlier: after an exec, gateways could trace us.
  if (start.dropped) {
    native.refuseNewPrivileges()
    becomeUser(start.identity, native)
    native.closeToOthers()
  }
  return new Supervisor({
    start,
    install: dirname(__dirname),
    version: HERMES_VERSION,
    clock: systemClock(),
    native,
    random: Math.random,
    // process.exit can hang indefinitely in a join of V8's workers.
    exit: (code) => native.exitNow(code),
  })
})
