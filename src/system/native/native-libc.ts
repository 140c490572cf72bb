import { closeSync, constants as files, openSync } from 'node:fs'
import { nodeFfi } from './ffi-binding.ts'
import { bindLibc, type LibcBinding } from './libc-binding.ts'
import { locksAtOnce } from './lock-place.ts'
import type { Native } from './native.ts'
import { degradedNative } from './native-degraded.ts'
import { refuseNewPrivileges } from './no-new-privileges.ts'
import { posixSpawn } from './posix-spawn.ts'

/** Result of `loadNative`. `problem`: the binding did not load, and the consequences. */
export interface LoadedNative {
  readonly native: Native
  readonly problem?: string
}

/** The part of koffi that this module uses; the raw koffi.node next to a bundle has it too. */
interface Koffi {
  load(path: null): Pick<LibcBinding, 'func'>
  errno(): number
}

/**
 * The libc calls through Node's own node:ffi.
 * @param options of this process
 * @returns undefined: this Node has none
 */
export function ffiNative(options: readonly string[] = process.execArgv): Native | undefined {
  const ffi = nodeFfi(options)
  return ffi === undefined ? undefined : libcNative(ffi)
}

/** The libc calls through koffi. Rejects for an unsupported C library or architecture. */
export async function koffiNative(): Promise<Native> {
  // Imported here and not at the top: a bundle whose koffi.node is missing must still start.
  const koffi = (await import('koffi')).default as unknown as Koffi
  const libc = koffi.load(null)
  return libcNative({ func: (...signature) => libc.func(...signature), errno: () => koffi.errno() })
}

/**
 * Loads the libc calls through what the running Node has: its own node:ffi, or koffi, or, if that fails, too, the plain
 * Node version. Never rejects: a container without the binding still runs its gateways. The caller reports `problem`
 * once.
 */
export async function loadNative(): Promise<LoadedNative> {
  try {
    return { native: ffiNative() ?? (await koffiNative()) }
  } catch (cause) {
    const why = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause)
    return {
      native: degradedNative(),
      problem: `the native binding (koffi) does not load: ${why}; going on without: orphans are not reaped, no lock on the volume, no control socket`,
    }
  }
}

// Linux values, equal on x86-64 and arm64, glibc and musl (asm-generic).
const O_NONBLOCK = 0o4000
const O_CLOEXEC = 0o2000000
const F_GETFL = 3
const F_SETFL = 4
const F_OFD_GETLK = 36
const F_OFD_SETLK = 37
const F_SETPIPE_SZ = 1031
const F_GETPIPE_SZ = 1032
const F_RDLCK = 0
const F_WRLCK = 1
const F_UNLCK = 2
/** Errors of fcntl(2) on file systems without locks. */
const NO_LOCKS = ['ENOLCK', 'ENOSYS', 'EINVAL', 'EOPNOTSUPP', 'ENOTSUP']
const FIONREAD = 0x541b
/** 64 KiB on some arm64 kernels. */
const MAX_PAGE_BYTES = 65_536
const TIOCNOTTY = 0x5422
const TIOCGWINSZ = 0x5413
const TIOCSWINSZ = 0x5414
const TIOCSPTLCK = 0x40045431
/** Opens the other end without a path; since Linux 4.13 (ioctl_tty(2)). */
const TIOCGPTPEER = 0x5441
const TCSADRAIN = 1
/** struct termios has 60 bytes in both libraries. */
const TERMIOS_BYTES = 64
/** pidfd_open(2) has no function in older C libraries, and none in musl. */
const SYS_PIDFD_OPEN = 434
/** _IOWR(0xFF, 11, struct pidfd_info), the structure in its first version (linux/pidfd.h). */
const PIDFD_GET_INFO = 0xc040ff0b
const PIDFD_INFO_EXIT = 8
const PIDFD_INFO_BYTES = 64
const PIDFD_INFO_EXIT_CODE_OFFSET = 60
/**
 * The group of the user `nobody`; its files give no rights. If this user namespace has no such id, the saved id is
 * that of the others.
 */
const NOGROUP = 65_534
const PR_SET_DUMPABLE = 4
const PR_SET_CHILD_SUBREAPER = 36
const P_ALL = 0
const WNOHANG = 1
const WEXITED = 4
const WNOWAIT = 0x01000000
const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const POLLOUT = 4
const SIG_UNBLOCK = 1
/** sizeof(sigset_t) of glibc and musl; the kernel's 64 signals come first, the lowest bit is signal 1. */
const SIGSET_BYTES = 128
const POLLERR = 8
const POLLHUP = 16
/** sizeof(siginfo_t); si_pid follows three ints and the padding of the union, which contains pointers. */
const SIGINFO_BYTES = 128
const SI_PID_OFFSET = 16
/** sun_path holds 108 bytes with its final NUL (unix(7)). */
const MAX_UNIX_PATH = 107

function libcNative(binding: LibcBinding): Native {
  const { raw, call, returned, failure, ioctlPointer, fcntlPointer, syscallPointer } = bindLibc(binding)

  const tryLock = (fd: number): 'held' | 'busy' | 'unsupported' => {
    if (fcntlPointer()(fd, F_OFD_SETLK, wholeFile(F_WRLCK)) !== -1) return 'held'
    const error = failure('fcntl(F_OFD_SETLK)')
    if (error.code === 'EAGAIN' || error.code === 'EACCES') return 'busy'
    if (NO_LOCKS.includes(error.code)) return 'unsupported'
    throw error
  }

  /** Result of FIONREAD. */
  const unread = new Int32Array(1)

  const unixSocket = (): number => call('socket', AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0)

  /** poll(2) that does not wait. @returns what is true of the descriptor; errors and hang-ups are reported unasked */
  const polled = (fd: number, events: number): number => {
    // struct pollfd: fd, events, revents.
    const pollfd = Buffer.alloc(8)
    pollfd.writeInt32LE(fd, 0)
    pollfd.writeInt16LE(events, 4)
    call('poll', pollfd, 1, 0)
    return pollfd.readInt16LE(6)
  }

  return {
    peekEndedChild() {
      const info = Buffer.alloc(SIGINFO_BYTES)
      if (raw('waitid', P_ALL, 0, info, WEXITED | WNOHANG | WNOWAIT) === -1) {
        const error = failure('waitid')
        if (error.code === 'ECHILD') return undefined
        throw error
      }
      // With WNOHANG and no child that has ended, waitid succeeds and leaves si_pid 0.
      return info.readInt32LE(SI_PID_OFFSET) || undefined
    },
    reap(pid) {
      const status = Buffer.alloc(4)
      const reaped = raw('waitpid', pid, status, WNOHANG)
      if (reaped !== -1) return reaped === pid ? status.readInt32LE() : undefined
      const error = failure('waitpid')
      if (error.code === 'ECHILD') return undefined
      throw error
    },
    spawn: (program) => posixSpawn(program, { call, raw, returned }),
    openProcess(pid) {
      const fd = raw('syscall', SYS_PIDFD_OPEN, pid, 0)
      return fd === -1 ? undefined : fd
    },
    waitStatus(processFd) {
      const info = Buffer.alloc(PIDFD_INFO_BYTES)
      info.writeBigUInt64LE(BigInt(PIDFD_INFO_EXIT))
      const done = ioctlPointer()(processFd, PIDFD_GET_INFO, info)
      // A kernel without this feature refuses the call in one of several ways, or omits the answer from the mask.
      if (done === -1 || (info.readUInt32LE() & PIDFD_INFO_EXIT) === 0) return undefined
      return info.readInt32LE(PIDFD_INFO_EXIT_CODE_OFFSET)
    },
    becomeSubreaper() {
      call('prctl', PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    },
    mkfifo(path, mode) {
      call('mkfifo', path, mode)
    },
    pipe({ nonblockingRead }) {
      const fds = new Int32Array(2)
      call('pipe2', fds, O_CLOEXEC)
      const [read, write] = fds as unknown as readonly [number, number]
      if (nonblockingRead) call('fcntl', read, F_SETFL, O_NONBLOCK)
      return [read, write]
    },
    setPipeSize: (fd, bytes) => call('fcntl', fd, F_SETPIPE_SZ, bytes),
    pipeRoom(fd) {
      const size = raw('fcntl', fd, F_GETPIPE_SZ, 0)
      if (size === -1 || ioctlPointer()(fd, FIONREAD, unread) === -1) return 0
      const bytes = unread[0] as number
      // A write begins a page only if the last one has no room for what it begins with (pipe_write in fs/pipe.c), so
      // two neighbours hold more than a page. The first one may be read in part, the last one begun.
      return bytes === 0 ? size : Math.max(0, size - 2 * bytes - 4 * MAX_PAGE_BYTES)
    },
    tryLock,
    async tryLockLater(fd) {
      const { async: later } = fcntlPointer()
      if (later === undefined) {
        if (await locksAtOnce(fd)) return tryLock(fd)
        // node:ffi has no threads; koffi does, and is loaded for this one call.
        const other = await koffiNative().catch(() => undefined)
        return other === undefined ? tryLock(fd) : other.tryLockLater(fd)
      }
      // errno is the other thread's; the file system has answered now, so asking it again here waits for nothing.
      await new Promise<void>((resolve) => later(fd, F_OFD_SETLK, wholeFile(F_WRLCK), () => resolve()))
      return tryLock(fd)
    },
    isLocked(fd) {
      const flock = wholeFile(F_RDLCK)
      if (fcntlPointer()(fd, F_OFD_GETLK, flock) !== -1) return flock.readInt16LE(0) !== F_UNLCK
      const error = failure('fcntl(F_OFD_GETLK)')
      if (NO_LOCKS.includes(error.code)) return false
      throw error
    },
    socketPair() {
      const fds = new Int32Array(2)
      call('socketpair', AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0, fds)
      return fds as unknown as readonly [number, number]
    },
    unixSocket,
    listenUnix(path, backlog, fd = unixSocket()) {
      try {
        const address = unixAddress(path)
        call('bind', fd, address, address.length)
        call('listen', fd, backlog)
      } catch (error) {
        raw('close', fd)
        throw error
      }
      return fd
    },
    giveUpTerminal(fd) {
      call('ioctl', fd, TIOCNOTTY, 0)
    },
    openTerminal() {
      const { O_RDWR, O_NOCTTY } = files
      const master = openSync('/dev/ptmx', O_RDWR | O_NOCTTY)
      try {
        if (ioctlPointer()(master, TIOCSPTLCK, Buffer.alloc(4)) === -1) throw failure('ioctl(TIOCSPTLCK)')
        return { master, slave: call('ioctl', master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC) }
      } catch (error) {
        closeSync(master)
        throw error
      }
    },
    terminalSize(fd) {
      const size = Buffer.alloc(8)
      if (ioctlPointer()(fd, TIOCGWINSZ, size) === -1) throw failure('ioctl(TIOCGWINSZ)')
      return { rows: size.readUInt16LE(0), columns: size.readUInt16LE(2) }
    },
    resizeTerminal(fd, { columns, rows }) {
      const size = Buffer.alloc(8)
      size.writeUInt16LE(rows, 0)
      size.writeUInt16LE(columns, 2)
      if (ioctlPointer()(fd, TIOCSWINSZ, size) === -1) throw failure('ioctl(TIOCSWINSZ)')
    },
    terminalMode(fd) {
      const mode = Buffer.alloc(TERMIOS_BYTES)
      call('tcgetattr', fd, mode)
      return mode
    },
    setTerminalMode(fd, mode) {
      call('tcsetattr', fd, TCSADRAIN, mode)
    },
    isSessionLeader: () => call('getsid', 0) === process.pid,
    sendNonblocking(fd, bytes) {
      const sent = raw('send', fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL)
      if (sent !== -1) return sent
      const error = failure('send')
      if (error.code === 'EAGAIN') return 0
      throw error
    },
    sendDatagram(path, bytes) {
      const address = unixAddress(path)
      // An abstract name begins with NUL, and ends with the address.
      const length = path.startsWith('@') ? address.length - 1 : address.length
      if (length < address.length) address[2] = 0
      const fd = call('socket', AF_UNIX, SOCK_DGRAM | O_CLOEXEC, 0)
      try {
        call('sendto', fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, length)
      } finally {
        raw('close', fd)
      }
    },
    hasReader: (fd) => (polled(fd, 0) & (POLLERR | POLLHUP)) === 0,
    hasRoom: (fd) => polled(fd, POLLOUT) !== 0,
    setNonblocking(fd, on) {
      const flags = call('fcntl', fd, F_GETFL, 0)
      call('fcntl', fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK)
    },
    kill(pid, signal) {
      if (raw('kill', pid, signal) !== -1) return true
      const error = failure('kill')
      if (error.code === 'ESRCH') return false
      throw error
    },
    endBy(signal) {
      raw('signal', signal, null)
    },
    unblock(signal) {
      const set = Buffer.alloc(SIGSET_BYTES)
      set.writeBigUInt64LE(1n << BigInt(signal - 1))
      // It returns the error's number instead of setting errno, and has none for these arguments.
      raw('pthread_sigmask', SIG_UNBLOCK, set, null)
    },
    dropPrivileges({ uid, gid, groups }) {
      call('setgroups', groups.length, groups.length === 0 ? null : Uint32Array.from(groups))
      // Other processes of the same uid could set our limits by prlimit(2), which wants all three gids to be theirs,
      // too.
      if (raw('setresgid', gid, gid, gid === NOGROUP ? NOGROUP - 1 : NOGROUP) === -1) call('setresgid', gid, gid, gid)
      call('setresuid', uid, uid, uid)
    },
    refuseNewPrivileges: () => refuseNewPrivileges({ call, raw, syscallPointer }),
    closeToOthers() {
      call('prctl', PR_SET_DUMPABLE, 0, 0, 0, 0)
    },
    exitNow(code) {
      raw('_exit', code)
      throw new Error('_exit returned')
    },
  }
}

/** struct sockaddr_un, with the NUL after the path. */
function unixAddress(path: string): Buffer {
  const name = Buffer.from(path)
  if (name.length > MAX_UNIX_PATH)
    throw new RangeError(`a socket path holds ${MAX_UNIX_PATH} bytes, this one has ${name.length}: ${path}`)
  const address = Buffer.alloc(2 + name.length + 1)
  address.writeUInt16LE(AF_UNIX, 0)
  name.copy(address, 2)
  return address
}

/** struct flock: l_type and l_whence (SEEK_SET), then l_start 0, l_len 0 = the whole file; l_pid must be 0. */
function wholeFile(type: number): Buffer {
  const flock = Buffer.alloc(32)
  flock.writeInt16LE(type, 0)
  return flock
}

/**
 * Not util.getSystemErrorName, because libuv lacks ECHILD. Of two names for one number (EAGAIN, EWOULDBLOCK) the
 * first is used.
 */
