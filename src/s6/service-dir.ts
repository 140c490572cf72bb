import { closeSync, constants, existsSync, openSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { decodeStatus, type ReadStatus } from '../protocol/s6.ts'
import { readRegularBytes } from '../system/files/small-file.ts'
import { codeOf, exitCodes, S6Error, systemError } from './error.ts'

const { O_RDONLY, O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants
/** More than a status has in any version of s6. */
const MAX_STATUS_BYTES = 1000

/** Asks the kernel whether a process holds a lock on an open file. */
export type IsLocked = (fd: number) => Promise<boolean>

/**
 * Whether the directory is supervised. s6 asks for the lock. Its holder also reads the control FIFO, and asking that
 * costs no native call, so the lock is asked for only where that FIFO is not ours to write.
 * @throws S6Error 111
 */
export async function isSupervised(dir: string, isLocked: IsLocked): Promise<boolean> {
  const control = join(dir, 'supervise', 'control')
  try {
    if (statSync(control).isFIFO()) {
      closeSync(openSync(control, O_WRONLY | O_NONBLOCK | O_NOCTTY))
      return true
    }
  } catch (error) {
    if (codeOf(error) === 'ENXIO' || codeOf(error) === 'ENOENT') return false
    if (codeOf(error) !== 'EACCES') throw systemError(`unable to check ${dir}`, error)
  }
  let lock: number
  try {
    lock = openSync(join(dir, 'supervise', 'lock'), O_RDONLY | O_NONBLOCK | O_NOCTTY)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw systemError(`unable to check ${dir}`, error)
  }
  try {
    return await isLocked(lock)
  } finally {
    closeSync(lock)
  }
}

/** @throws S6Error 111 */
export function readState(dir: string): ReadStatus {
  const file = join(dir, 'supervise', 'status')
  let bytes: Buffer
  try {
    bytes = readRegularBytes(file, MAX_STATUS_BYTES)
  } catch (error) {
    throw systemError(`unable to read status for ${dir}`, error)
  }
  const state = decodeStatus(bytes)
  if (state === undefined) throw new S6Error(exitCodes.system, `${file} is not a status: ${bytes.length} bytes`)
  return state
}

export const isNormallyUp = (dir: string): boolean => !existsSync(join(dir, 'down'))
export const announcesReadiness = (dir: string): boolean => existsSync(join(dir, 'notification-fd'))

/**
 * One write of all commands to a control FIFO.
 * @param control its path below the directory: `supervise/control`, `.s6-svscan/control`
 * @throws S6Error 100 when the FIFO has no reader, or the directory was never supervised; 111 otherwise
 */
export function sendCommands(dir: string, control: 'supervise/control' | '.s6-svscan/control', commands: string): void {
  const path = join(dir, control)
  let fd: number
  try {
    // Never a regular file in its place: commands written there would not be read, and the file would not be ours.
    if (!statSync(path).isFIFO()) throw new S6Error(exitCodes.system, `${path} is not a FIFO`)
    fd = openSync(path, O_WRONLY | O_NONBLOCK | O_NOCTTY)
  } catch (error) {
    const neverSupervised = codeOf(error) === 'ENOENT' && existsSync(dir)
    if (codeOf(error) === 'ENXIO' || neverSupervised)
      throw new S6Error(exitCodes.noListener, `unable to control ${dir}: supervisor not listening`)
    throw systemError(`unable to control ${dir}`, error)
  }
  try {
    writeSync(fd, commands)
  } catch (error) {
    throw systemError(`unable to control ${dir}`, error)
  } finally {
    closeSync(fd)
  }
}
