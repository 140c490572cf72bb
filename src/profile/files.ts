import { lstatSync } from 'node:fs'

export const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT'

/** Also true for a link that leads nowhere. @throws the error of the file system, where it cannot be known */
export const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined
