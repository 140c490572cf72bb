// PID 1.
import { dirname } from 'node:path'
import { endCopy, givenEnvironment } from '../src/init/facts/environment.ts'
import { runInit } from '../src/init/run.ts'

const words = process.argv.slice(2)
const foreground = words[0] === '--foreground'

const env = foreground ? process.env : givenEnvironment(process.env)
// The wrapper's fork has passed on the environment; it may have ended already.
if (!foreground && process.env.HERMES_ENVIRON_OF) endCopy(Number(process.env.HERMES_ENVIRON_OF))

void runInit({
  // This bundle lies in lib/.
  install: dirname(__dirname),
  foreground,
  words: foreground ? words.slice(1) : words,
  env,
})
