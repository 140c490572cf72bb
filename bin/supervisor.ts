// Policy: decides about slots. Started by init with inherited descriptors; the first line on the socket to init is
// SupervisorStart.
import { dirname } from 'node:path'
import { becomeUser } from '../src/cli/terminal/drop.ts'
import { readStart } from '../src/supervisor/read-start.ts'
import { Supervisor } from '../src/supervisor/supervisor.ts'
import { systemClock } from '../src/system/clock.ts'
import { loadNative } from '../src/system/native/native-libc.ts'

declare const HERMES_VERSION: string

// init reports the effects of a missing binding; here one console sink cannot be written without it.
loadNative().then(({ native }) => {
  // Waits for it: init starts us before it knows it.
  const start = readStart()
  // process.exit can hang indefinitely in a join of V8's workers.
  if (start === undefined) return native.exitNow(0)
  // Before reading anything that others can write. Here and not earlier: after an exec, gateways could trace us.
  if (process.getuid?.() === 0 && start.identity.uid !== 0) {
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
    exit: (code) => native.exitNow(code),
  })
})
