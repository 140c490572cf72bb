import { fstatSync, openSync } from 'node:fs'
import { runSync } from '../../../scripts/run.ts'
import { type Native, NativeError } from '../../../src/system/native/native.ts'
import { degradedNative } from '../../../src/system/native/native-degraded.ts'

const PAGE = 4096
const DEFAULT_PIPE_BYTES = 65_536

/** Calls that leave no trace in the process. */
export type FakeCall =
  | { readonly call: 'kill'; readonly pid: number; readonly signal: number }
  | { readonly call: 'closed to others' | 'no new privileges' }
  | { readonly call: 'drop'; readonly uid: number; readonly gid: number; readonly groups: readonly number[] }
  | { readonly call: 'exit'; readonly code: number }
  | { readonly call: 'subreaper' }

/** Thrown in the place of an end. */
export class FakeExit extends Error {
  readonly code: number

  constructor(code: number) {
    super(`_exit(${code})`)
    this.code = code
  }
}

/** The kernel as tests want it: processes, locks and sessions are imagined; FIFOs and pipes are real. */
export class FakeNative implements Native {
  readonly calls: FakeCall[] = []
  readonly #alive = new Set<number>()
  readonly #zombies: number[] = []
  /** By descriptor, the process it was opened for; by process, how it ended, once it is reaped. */
  readonly #opened = new Map<number, number>()
  readonly #statuses = new Map<number, number>()
  readonly #locks = new Map<string, number>()
  readonly #pipeSizes = new Map<number, number>()
  readonly #blocking = new Map<number, boolean>()
  readonly #real = degradedNative()
  sessionLeader = false

  /** A child of ours appears. */
  born(pid: number): void {
    this.#alive.add(pid)
  }

  /** A child has ended and waits to be reaped, by the first process that asks. @param status as waitpid(2) gives it */
  ends(pid: number, status = 0): void {
    this.#alive.delete(pid)
    this.#zombies.push(pid)
    this.#statuses.set(pid, status)
  }

  peekEndedChild(): number | undefined {
    return this.#zombies[0]
  }

  reap(pid: number): number | undefined {
    const at = this.#zombies.indexOf(pid)
    if (at === -1) return undefined
    this.#zombies.splice(at, 1)
    return this.#statuses.get(pid)
  }

  spawn(): undefined {}

  openProcess(pid: number): number | undefined {
    if (!this.#alive.has(pid) && !this.#zombies.includes(pid)) return undefined
    const fd = openSync('/dev/null', 'r')
    this.#opened.set(fd, pid)
    return fd
  }

  waitStatus(processFd: number): number | undefined {
    // A number that was closed may be another file by now.
    const pid = fstatSync(processFd).isCharacterDevice() ? this.#opened.get(processFd) : undefined
    return pid === undefined || this.#zombies.includes(pid) ? undefined : this.#statuses.get(pid)
  }

  becomeSubreaper(): void {
    this.calls.push({ call: 'subreaper' })
  }

  mkfifo(path: string, mode: number): void {
    try {
      this.#real.mkfifo(path, mode)
    } catch {
      const exists = runSync('sh', ['-c', '[ -e "$1" ] && echo yes || :', 'sh', path]).length > 0
      throw exists ? new NativeError('mkfifo', 17, 'EEXIST') : new NativeError('mkfifo', 2, 'ENOENT')
    }
  }

  pipe(options: { nonblockingRead: boolean }): readonly [number, number] {
    return this.#real.pipe(options)
  }

  pipeRoom(): number {
    return 0
  }

  setPipeSize(fd: number, bytes: number): number {
    if (!fstatSync(fd).isFIFO()) throw new NativeError('fcntl', 9, 'EBADF')
    const pages = Math.max(1, 2 ** Math.ceil(Math.log2(Math.max(1, bytes / PAGE))))
    this.#pipeSizes.set(fd, pages * PAGE)
    return this.#pipeSizes.get(fd) ?? DEFAULT_PIPE_BYTES
  }

  tryLock(fd: number): 'held' | 'busy' | 'unsupported' {
    const { dev, ino } = fstatSync(fd)
    const holder = this.#locks.get(`${dev}:${ino}`)
    if (holder !== undefined && holder !== fd && isOpen(holder)) return 'busy'
    this.#locks.set(`${dev}:${ino}`, fd)
    return 'held'
  }

  async tryLockLater(fd: number): Promise<'held' | 'busy' | 'unsupported'> {
    return this.tryLock(fd)
  }

  isLocked(fd: number): boolean {
    const { dev, ino } = fstatSync(fd)
    const holder = this.#locks.get(`${dev}:${ino}`)
    return holder !== undefined && holder !== fd && isOpen(holder)
  }

  socketPair(): undefined {}

  unixSocket(): undefined {}

  listenUnix(path: string): number {
    if (Buffer.byteLength(path) > 107) throw new RangeError(`a socket path holds 107 bytes: ${path}`)
    throw new NativeError('bind', 38, 'ENOSYS')
  }

  giveUpTerminal(): void {
    throw new NativeError('ioctl', 25, 'ENOTTY')
  }

  isSessionLeader(): boolean {
    return this.sessionLeader
  }

  sendNonblocking(fd: number): number {
    if (!fstatSync(fd).isSocket()) throw new NativeError('send', 88, 'ENOTSOCK')
    return 0
  }

  sendDatagram(): void {
    throw new NativeError('sendto', 38, 'ENOSYS')
  }

  hasReader(): boolean {
    return true
  }

  hasRoom(): boolean {
    return true
  }

  setNonblocking(fd: number, on: boolean): void {
    this.#blocking.set(fd, !on)
  }

  openTerminal(): never {
    throw new NativeError('ioctl(TIOCGPTPEER)', 38, 'ENOSYS')
  }

  terminalSize(): { readonly columns: number; readonly rows: number } {
    return { columns: 80, rows: 24 }
  }

  resizeTerminal(): void {
    // No terminal is imagined.
  }

  terminalMode(): Buffer {
    return Buffer.alloc(64)
  }

  setTerminalMode(): void {
    // Likewise.
  }

  endBy(): void {}

  unblock(): void {
    // Signals are imagined: none is ever blocked.
  }

  kill(pid: number, signal: number): boolean {
    this.calls.push({ call: 'kill', pid, signal })
    return this.#alive.has(Math.abs(pid)) || this.#zombies.includes(Math.abs(pid))
  }

  dropPrivileges(identity: { uid: number; gid: number; groups: readonly number[] }): void {
    this.calls.push({ call: 'drop', ...identity })
  }

  refuseNewPrivileges(): void {
    this.calls.push({ call: 'no new privileges' })
  }

  closeToOthers(): void {
    this.calls.push({ call: 'closed to others' })
  }

  exitNow(code: number): never {
    this.calls.push({ call: 'exit', code })
    throw new FakeExit(code)
  }
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd)
    return true
  } catch {
    return false // EBADF: closed, and with it the lock went
  }
}
