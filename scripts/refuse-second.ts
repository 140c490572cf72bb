// The first step of npm start: a second one for the same home is refused before anything is built.
import { dirname, join } from 'node:path'
import { refuseSecond } from '../src/init/boot/run-directory.ts'
import { HermesError } from '../src/system/errors.ts'
import { loadNative } from '../src/system/native/native-libc.ts'
import { resolveHome } from '../src/system/programs/install.ts'

const { native } = await loadNative()
const home = resolveHome(process.env, join(dirname(import.meta.dirname), 'dist'))
try {
  refuseSecond(native, { env: process.env, home, uid: process.getuid?.() ?? 0, foreground: true })
} catch (error) {
  if (!(error instanceof HermesError)) throw error
  process.stderr.write(`hermes: ${error.message}. ${error.next}\n`)
  process.exitCode = error.exitCode
}
