import { execFileSync } from 'node:child_process'
import { constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readProcess } from '../programs/proc.ts'
import { dropByNode } from './drop-by-node.ts'
import { type Native, NativeError } from './native.ts'

const ENOSYS = 38

/** The port without the binding: the closest that plain Node offers, else ENOSYS. */
export function degradedNative(): Native {
  const missing = (call: string): never => {
    throw new NativeError(call, ENOSYS, 'ENOSYS')
  }
  const mkfifo = (path: string, mode: number): void => {
    execFileSync('mkfifo', ['-m', mode.toString(8), '--', path], { stdio: 'ignore' })
  }
  return {
    peekEndedChild: () => undefined,
    reap: () => undefined,
    spawn: () => undefined,
    openProcess: () => undefined,
    waitStatus: () => undefined,
    becomeSubreaper: () => missing('prctl'),
    mkfifo,
    pipe({ nonblockingRead }) {
      // A FIFO that loses its name is a pipe. The reader must come first and must not block while it is alone.
      const dir = mkdtempSync(join(tmpdir(), 'hermes-pipe-'))
      try {
        const path = join(dir, 'pipe')
        mkfifo(path, 0o600)
        const first = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
        const write = openSync(path, constants.O_WRONLY)
        return [nonblockingRead ? first : openSync(path, constants.O_RDONLY), write]
      } finally {
        rmSync(dir, { recursive: true })
      }
    },
    setPipeSize: () => missing('fcntl(F_SETPIPE_SZ)'),
    pipeRoom: () => 0,
    tryLock: () => 'unsupported',
    tryLockLater: async () => 'unsupported',
    isLocked: () => false,
    socketPair: () => undefined,
    unixSocket: () => undefined,
    listenUnix: () => missing('bind'),
    giveUpTerminal: () => missing('ioctl(TIOCNOTTY)'),
    openTerminal: () => missing('ioctl(TIOCGPTPEER)'),
    terminalSize: () => missing('ioctl(TIOCGWINSZ)'),
    resizeTerminal: () => missing('ioctl(TIOCSWINSZ)'),
    terminalMode: () => missing('tcgetattr'),
    setTerminalMode: () => missing('tcsetattr'),
    isSessionLeader: () => readProcess(process.pid)?.session === process.pid,
    sendNonblocking: () => missing('send'),
    sendDatagram: () => missing('sendto'),
    hasReader: () => true,
    hasRoom: () => true,
    setNonblocking: () => missing('fcntl(F_SETFL)'),
    kill(pid, signal) {
      try {
        return process.kill(pid, signal)
      } catch (error) {
        const { code, errno } = error as NodeJS.ErrnoException
        if (code === 'ESRCH') return false
        throw new NativeError('kill', -(errno ?? 0), code ?? 'unknown')
      }
    },
    endBy: () => undefined,
    unblock: () => undefined,
    dropPrivileges: dropByNode,
    refuseNewPrivileges: () => undefined,
    // The effect of the change of uid must be enough.
    closeToOthers: () => undefined,
    exitNow: (code) => process.exit(code),
  }
}
