// PID 1.
import { dirname } from 'node:path'
import { runInit } from '../src/init/run.ts'

const words = process.argv.slice(2)
const foreground = words[0] === '--foreground'

void runInit({
  // This bundle lies in lib/.
  install: dirname(__dirname),
  foreground,
  words: foreground ? words.slice(1) : words,
  env: process.env,
})
