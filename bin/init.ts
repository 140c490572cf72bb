// First of all: without a listener USR1 opens an inspector, and PID 1 is root. So nothing is imported above this line.
process.on('SIGUSR1', () => undefined)

const [first, ...rest] = process.argv.slice(2)
const foreground = first === '--foreground'

import('../src/init/run.ts').then(({ runInit }) =>
  runInit({
    // This bundle lies in lib/.
    install: __dirname.replace(/\/[^/]+$/, ''),
    foreground,
    words: foreground ? rest : process.argv.slice(2),
    env: process.env,
  }),
)
