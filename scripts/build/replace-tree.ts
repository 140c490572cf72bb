import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import koffi from 'koffi'

/** From fcntl.h and linux/fs.h. */
const AT_FDCWD = -100
const RENAME_EXCHANGE = 2

/** Where a tree is to be made before it takes the place of `out`. Removes what interrupted builds have left there. */
export async function freshTree(out: string): Promise<string> {
  const prefix = `${basename(out)}.new-`
  await mkdir(dirname(out), { recursive: true })
  for (const name of await readdir(dirname(out))) {
    const pid = Number.parseInt(name.slice(prefix.length), 10)
    if (name.startsWith(prefix) && !existsSync(`/proc/${pid}`))
      await rm(join(dirname(out), name), { recursive: true, force: true })
  }
  return join(dirname(out), `${prefix}${process.pid}`)
}

/**
 * Puts a tree into the place of another in one step: what runs from that one never finds a file missing. The old one is
 * removed.
 */
export async function putInPlace(fresh: string, out: string): Promise<void> {
  if (!exchange(fresh, out)) {
    // There is no old tree, or the file system cannot exchange: then there is none for some microseconds.
    const old = `${fresh}-old`
    if (existsSync(out)) await rename(out, old)
    await rename(fresh, out)
    await rm(old, { recursive: true, force: true })
  }
  // After an exchange this is the old tree.
  await rm(fresh, { recursive: true, force: true })
}

/** renameat2(2), which Node does not have. @returns false: it was not possible */
function exchange(a: string, b: string): boolean {
  try {
    const call = koffi.load(null).func('renameat2', 'int', ['int', 'str', 'int', 'str', 'uint'])
    return call(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) === 0
  } catch {
    return false // this C library has no such function
  }
}
