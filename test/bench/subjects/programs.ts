import { execFileSync } from 'node:child_process'
import { onPath } from './on-path.ts'

/** Where a subject's programs come from. */
export interface Programs {
  readonly path: string
  /** @returns undefined: there is no such program */
  find(name: string): string | undefined
  /** Of a Debian package. */
  version(name: string): string
}

export const onMachine: Programs = {
  path: process.env.PATH ?? '',
  find: (name) => onPath(name),
  version: debianVersion,
}

function debianVersion(name: string): string {
  try {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own way to name a field
    return execFileSync('dpkg-query', ['--showformat', '${Version}', '--show', name], {
      encoding: 'utf8',
      stdio: 'pipe',
    })
  } catch {
    return 'version unknown' // not Debian, or not from a package
  }
}
