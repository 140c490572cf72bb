/**
 * The libc calls that Node lacks, and nothing else. This port has three implementations: `native-libc.ts` with Node's
 * own node:ffi or with koffi, and the fake of the tests. One contract suite runs on all of them. Every failing call
 * throws a NativeError with its name and errno, unless its comment says otherwise.
 */
export interface Native {
  /**
   * waitid(P_ALL, WEXITED | WNOHANG | WNOWAIT): finds a child that has ended and was not reaped yet.
   * @returns its pid, or undefined when no child has ended (or there are no children). The child stays a zombie.
   */
  peekEndedChild(): number | undefined
  /**
   * waitpid(pid, WNOHANG): reaps one ended child.
   * @returns its wait status; undefined when it has not ended or is not our child (ECHILD)
   */
  reap(pid: number): number | undefined
  /**
   * posix_spawn(3): starts a program that leads a session of its own, with default signals, and with nothing open but
   * the descriptors that are named. The page tables of our heap are not copied, as fork(2) does.
   * @returns its pid, which only `reap` waits for; undefined without the binding
   * @throws NativeError (ENOENT, EACCES, ENOEXEC, EAGAIN), also for a missing `cwd`
   */
  spawn(program: SpawnedProgram): number | undefined
  /**
   * pidfd_open(2) of a child that has not been waited for: a descriptor for `waitStatus`, close-on-exec.
   * @returns undefined where it is not available (an old kernel, a sandbox, no descriptors left)
   */
  openProcess(pid: number): number | undefined
  /**
   * ioctl(PIDFD_GET_INFO, PIDFD_INFO_EXIT): how a process ended, as returned by waitpid(2), after it has been waited
   * for.
   * @returns undefined before that, and where the kernel does not support it (Linux before 6.15)
   */
  waitStatus(processFd: number): number | undefined
  /** prctl(PR_SET_CHILD_SUBREAPER): orphans below us become our children. */
  becomeSubreaper(): void
  /** mkfifo(path, mode). The umask applies: chmod afterwards. */
  mkfifo(path: string, mode: number): void
  /** pipe2(O_CLOEXEC); `nonblockingRead` sets O_NONBLOCK on the read end only. @returns [read end, write end] */
  pipe(options: { nonblockingRead: boolean }): readonly [number, number]
  /** fcntl(F_SETPIPE_SZ). @returns the size the kernel gave, in bytes */
  setPipeSize(fd: number, bytes: number): number
  /**
   * fcntl(F_GETPIPE_SZ) and ioctl(FIONREAD): what a pipe takes in one write(2) for sure, whatever the sizes of the
   * writes that lie in it.
   * @returns bytes; 0 where it is not known
   */
  pipeRoom(fd: number): number
  /**
   * fcntl(F_OFD_SETLK, F_WRLCK, whole file): a lock of the open file description, held by every process with a copy
   * of the fd.
   * @returns `held`; `busy` (EAGAIN, EACCES); `unsupported` where the file system has no locks (ENOLCK, ENOSYS,
   * EINVAL, EOPNOTSUPP)
   */
  tryLock(fd: number): 'held' | 'busy' | 'unsupported'
  /** The same on another thread: a network mount whose lock server does not answer delays only this promise. */
  tryLockLater(fd: number): Promise<'held' | 'busy' | 'unsupported'>
  /**
   * fcntl(F_OFD_GETLK, F_RDLCK, whole file): tells whether another process holds a write lock of either kind on the
   * file. Also false where the file system has no locks.
   */
  isLocked(fd: number): boolean
  /** socketpair(AF_UNIX, SOCK_STREAM), close-on-exec. @returns its two ends; undefined without the binding */
  socketPair(): readonly [number, number] | undefined
  /** socket(AF_UNIX, SOCK_STREAM), close-on-exec, for `listenUnix`. @returns undefined without the binding */
  unixSocket(): number | undefined
  /**
   * bind, listen for a Unix stream socket. An existing file at `path` is an error (EADDRINUSE).
   * @param fd of `unixSocket`; it is closed when the call fails. Absent: a new one
   * @throws RangeError when `path` is longer than 107 bytes
   * @returns the listening fd, close-on-exec
   */
  listenUnix(path: string, backlog: number, fd?: number): number
  /** ioctl(TIOCNOTTY) on a terminal: gives up the controlling terminal. The caller must ignore HUP during the call. */
  giveUpTerminal(fd: number): void
  /** A new pseudo-terminal (pty(7)): its two ends, close-on-exec; neither becomes our controlling terminal. */
  openTerminal(): { readonly master: number; readonly slave: number }
  /** ioctl(TIOCGWINSZ). */
  terminalSize(fd: number): { readonly columns: number; readonly rows: number }
  /** ioctl(TIOCSWINSZ): the programs on the terminal get WINCH. */
  resizeTerminal(fd: number, size: { readonly columns: number; readonly rows: number }): void
  /** tcgetattr(3). @returns struct termios as raw memory (`src/system/native/terminal-mode.ts` reads it) */
  terminalMode(fd: number): Buffer
  /** tcsetattr(3, TCSADRAIN). From the background of a job-control shell it stops us (TTOU). */
  setTerminalMode(fd: number, mode: Buffer): void
  /** getsid(0) == getpid(): we lead a session. */
  isSessionLeader(): boolean
  /**
   * send(MSG_DONTWAIT | MSG_NOSIGNAL) on a socket, regardless of its O_NONBLOCK.
   * @returns bytes taken, 0 when it would block
   */
  sendNonblocking(fd: number, bytes: Uint8Array): number
  /**
   * A datagram to a Unix socket, sent or refused at once. @param path begins with @ for a name without a file
   * @throws RangeError when `path` is longer than 107 bytes
   */
  sendDatagram(path: string, bytes: Uint8Array): void
  /**
   * poll(2) for the other end only: data written there still has a reader. False for a pipe without a reader
   * (POLLERR), and for a socket or terminal whose other end is closed (POLLHUP).
   */
  hasReader(fd: number): boolean
  /**
   * poll(2) for POLLOUT: a pipe then takes 4096 bytes without blocking, a terminal some. Also true if the other end
   * is closed: the write reports that.
   */
  hasRoom(fd: number): boolean
  /** fcntl(F_GETFL / F_SETFL O_NONBLOCK) of an open file description. */
  setNonblocking(fd: number, on: boolean): void
  /**
   * kill(2) without Node's own bookkeeping; a negative pid is a process group. @returns false if there is no such
   * process (ESRCH)
   */
  kill(pid: number, signal: number): boolean
  /**
   * signal(2) with SIG_DFL, past Node's handler: most signals then end this process at once. Node's listeners still get
   * those that were caught before. Does nothing without the binding.
   */
  endBy(signal: number): void
  /**
   * pthread_sigmask(SIG_UNBLOCK) of the calling thread: signals pending from before are delivered now. Does nothing
   * without the binding.
   */
  unblock(signal: number): void
  /**
   * setgroups, setgid, setuid (real, effective, saved): cannot be undone. The saved gid is the group of `nobody` until
   * the next exec, so no other process of this uid may then set our limits. Throws NativeError naming the call.
   */
  dropPrivileges(identity: { uid: number; gid: number; groups: readonly number[] }): void
  /**
   * prctl(PR_SET_NO_NEW_PRIVS), and PR_CAPBSET_DROP of every capability where CAP_SETPCAP is held: what this
   * process starts from now on gets nothing from setuid programs and file capabilities. While it is root it may still
   * give that up.
   */
  refuseNewPrivileges(): void
  /**
   * prctl(PR_SET_DUMPABLE, 0): other processes of this user may not trace us or read our memory, environment and
   * descriptors (ptrace(2)). A change of the uid has the same effect unless fs.suid_dumpable says otherwise; an exec
   * reverts it.
   */
  closeToOthers(): void
  /** _exit(code): ends at once. process.exit can hang indefinitely when V8's workers are joined under load. */
  exitNow(code: number): never
}

/** A program for `Native.spawn`. */
export interface SpawnedProgram {
  /** A path; it is not searched for. */
  readonly file: string
  /** After argv[0], which is `file`. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Its descriptors from 0 on; 0 to 2 become blocking. `ignore` is /dev/null for 0 to 2; further ones are closed. */
  readonly fds: readonly (number | 'ignore')[]
}

export class NativeError extends Error {
  readonly call: string
  readonly errno: number
  /** Symbolic errno such as `EPERM`. */
  readonly code: string

  constructor(call: string, errno: number, code: string) {
    super(`${call}: ${code}`)
    this.name = 'NativeError'
    this.call = call
    this.errno = errno
    this.code = code
  }
}
