// Every shell file of the repository: `sh -n`, and shellcheck where it is installed.
import { execFileSync, spawnSync } from 'node:child_process'
import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')
const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
const shellFiles = listed.split('\0').filter((file) => file !== '' && isShell(file))

let failed = 0
for (const file of shellFiles) failed += run('sh', ['-n', file])
if (spawnSync('shellcheck', ['--version']).error === undefined)
  failed += run('shellcheck', ['--external-sources', '--source-path=SCRIPTDIR', ...shellFiles])
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

function run(command: string, args: readonly string[]): 0 | 1 {
  return spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0 ? 0 : 1
}
