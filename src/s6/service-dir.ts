import { closeSync, constants, existsSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { decodeStatus, type ServiceState } from './status.ts'

/** s6's exit codes, with a line for people. */
export class S6Error extends Error {
  readonly exitCode: number

  constructor(exitCode: number, message: string) {
    super(message)
    this.name = 'S6Error'
    this.exitCode = exitCode
  }
}

const NOT_RUNNING = 1
const NO_LISTENER = 100
const SYSTEM = 111

/** Somebody reads the control FIFO. Its writer's open tells, without the lock that Node cannot ask about. */
function isSupervised(dir: string): boolean {
  try {
    closeSync(openControl(dir))
    return true
  } catch (error) {
    // We may read but not control: whoever wrote the status is as good an answer as we get.
    if (codeOf(error) === 'EACCES') return true
    if (codeOf(error) === 'ENXIO' || codeOf(error) === 'ENOENT') return false
    throw systemError(`cannot open ${join(dir, 'supervise/control')}`, error)
  }
}

/** @throws S6Error 111 */
export function readState(dir: string): ServiceState {
  const file = join(dir, 'supervise', 'status')
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (error) {
    throw systemError(`cannot read ${file}`, error)
  }
  const state = decodeStatus(bytes)
  if (state === undefined) throw new S6Error(SYSTEM, `${file} is no status: ${bytes.length} bytes`)
  return state
}

/** @throws S6Error 1 when nobody supervises it, 111 when there is no such directory */
export function requireSupervised(dir: string): void {
  if (isSupervised(dir)) return
  if (!existsSync(dir)) throw new S6Error(SYSTEM, `there is no ${dir}`)
  throw new S6Error(NOT_RUNNING, `${dir} is not supervised`)
}

export const isNormallyUp = (dir: string): boolean => !existsSync(join(dir, 'down'))
export const announcesReadiness = (dir: string): boolean => existsSync(join(dir, 'notification-fd'))

/** One write of all letters. @throws S6Error 100 when nobody listens, 111 otherwise */
export function sendLetters(dir: string, letters: string): void {
  let fd: number
  try {
    fd = openControl(dir)
  } catch (error) {
    if (codeOf(error) === 'ENXIO') throw new S6Error(NO_LISTENER, `${dir} is not supervised`)
    throw systemError(`cannot control ${dir}`, error)
  }
  try {
    writeSync(fd, letters)
  } finally {
    closeSync(fd)
  }
}

function openControl(dir: string): number {
  const file = join(dir, 'supervise', 'control')
  // Never a regular file in its place: letters written there would reach nobody, and the file would not be ours.
  if (!statSync(file).isFIFO()) throw new S6Error(SYSTEM, `${file} is no FIFO`)
  return openSync(file, constants.O_WRONLY | constants.O_NONBLOCK)
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

const systemError = (what: string, error: unknown): S6Error =>
  error instanceof S6Error
    ? error
    : new S6Error(SYSTEM, `${what}: ${error instanceof Error ? error.message : String(error)}`)
