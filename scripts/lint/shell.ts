// Every shell file of the repository: `sh -n`, and shellcheck where it is installed.
import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runSync, tryRunSync } from '../run.ts'

const root = join(import.meta.dirname, '../..')
const listed = runSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root })
const shellFiles = listed.split('\0').filter((file) => file !== '' && isShell(file))

let failed = 0
for (const file of shellFiles) failed += finds('sh', ['-n', file])
if (tryRunSync('sh', ['-c', 'command -v shellcheck']).code === 0)
  failed += finds('shellcheck', ['--external-sources', '--source-path=SCRIPTDIR', ...shellFiles])
else
  process.stdout.write(
    'shellcheck is not installed: only the syntax was checked (on Debian: apt-get install shellcheck)\n',
  )
process.stdout.write(`${shellFiles.length} shell files${failed === 0 ? ': no findings' : ''}\n`)
process.exitCode = failed === 0 ? 0 : 1

/** By name, or by a first line that names sh. */
function isShell(file: string): boolean {
  try {
    if (!lstatSync(join(root, file)).isFile()) return false
    if (file.endsWith('.sh')) return true
    if (/\.[a-z]+$/.test(file)) return false
    return /^#! ?\/(usr\/)?bin\/(env (-S .*\/)?)?(ba|da)?sh\b/.test(
      readFileSync(join(root, file), 'latin1').slice(0, 120),
    )
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false // deleted, but still in the index
    throw error
  }
}

function finds(command: string, args: readonly string[]): 0 | 1 {
  return tryRunSync(command, args, { cwd: root, output: 'shown' }).code === 0 ? 0 : 1
}
