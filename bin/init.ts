// First of all: without a listener USR1 opens an inspector, and PID 1 is root.
process.on('SIGUSR1', () => undefined)

import { dirname } from 'node:path'
import { runInit } from '../src/init/init.ts'

const [first, ...rest] = process.argv.slice(2)
const foreground = first === '--foreground'
void runInit({
  install: dirname(__dirname),
  foreground,
  words: foreground ? rest : process.argv.slice(2),
  env: process.env,
})
