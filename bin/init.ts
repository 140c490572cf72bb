// PID 1. Small, so that the supervisor's Node starts early: the two load beside each other.
import { dirname } from 'node:path'
import { begin } from '../src/init/early.ts'
import { loadNative } from '../src/system/native/native-libc.ts'

// This bundle lies in lib/.
const install = dirname(__dirname)

loadNative().then((native) => {
  const early = begin(native, install)
  const { runInit } = require('#bundle/boot.cjs') as typeof import('./bundles/boot.ts')
  return runInit(early, install, process.argv.slice(2))
})
