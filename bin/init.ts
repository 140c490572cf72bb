// PID 1.
import { dirname } from 'node:path'
import { endCopy, givenEnvironment } from '../src/init/facts/environment.ts'
import { runInit } from '../src/init/run.ts'

const argv = process.argv.slice(2)
const foreground = argv[0] === '--foreground'

const env = foreground ? process.env : givenEnvironment(process.env)
// The wrapper's fork has passed on the environment; it may have ended already.
if (!foreground && process.env.HERMES_ENVIRON_OF) endCopy(Number(process.env.HERMES_ENVIRON_OF))

void runInit({
  // This bundle lies in lib/.
  install: dirname(__dirname),
  foreground,
  argv: foreground ? argv.slice(1) : argv,
  env,
})
