import { closeSync, constants, fchmodSync, fstatSync, lstatSync, openSync } from 'node:fs'
import { below, SECRET_FILES } from '../../system/paths.ts'

const FOR_OTHERS = 0o077

/**
 * Takes from everybody else the right to read a profile's secrets, which a `chmod -R` gives. Links are left alone: what
 * they lead to is not the profile's.
 * @returns a line for each file that was open
 */
export function closeSecretFiles(dir: string): readonly string[] {
  return SECRET_FILES.flatMap((name) => {
    const file = below(dir, name)
    const status = lstatSync(file, { throwIfNoEntry: false })
    if (status?.isFile() !== true || (status.mode & FOR_OTHERS) === 0) return []
    const mode = (status.mode & 0o7777).toString(8).padStart(4, '0')
    try {
      makePrivate(file)
      return [`${file} was open to others (mode ${mode}); it is 0600 again`]
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code
      return [`${file} is open to others (mode ${mode}) and cannot be closed (${why}); run: chmod 600 ${file}`]
    }
  })
}

/** Takes from everybody but the group the right to enter a profile's directory. @returns why that failed */
export function closeToOthers(dir: string): string | undefined {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants
  try {
    const fd = openSync(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    try {
      const { mode } = fstatSync(fd)
      if ((mode & 0o007) !== 0) fchmodSync(fd, mode & 0o7770)
      return undefined
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    return `${dir} cannot be closed to walled profiles: ${(error as Error).message}`
  }
}

function makePrivate(file: string): void {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants
  const fd = openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
  try {
    if (fstatSync(fd).isFile()) fchmodSync(fd, 0o600)
  } finally {
    closeSync(fd)
  }
}
