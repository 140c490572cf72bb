import { constants } from 'node:os'
import { NativeError } from './native.ts'
import { spawnSignatures } from './posix-spawn.ts'

export interface LibcFunction {
  (...args: unknown[]): unknown
  /** On a thread of libuv's pool; the last argument is called back. Absent: the binding cannot do that. */
  readonly async?: (...args: unknown[]) => void
}

/** A library that calls C functions: koffi, or Node's own. */
export interface LibcBinding {
  /** Types by the names that `signatures` uses. */
  func(name: string, result: string, args: readonly string[]): LibcFunction
  /** Of this thread's last call. */
  errno(): number
}

// Variadic functions (fcntl, ioctl, prctl, syscall) are bound with a fixed signature: integer arguments travel in the
// same registers.
const signatures = {
  waitid: ['int', ['int', 'uint32', 'void *', 'int']],
  waitpid: ['int', ['int', 'void *', 'int']],
  syscall: ['long', ['long', 'long', 'long']],
  prctl: ['int', ['int', 'unsigned long', 'unsigned long', 'unsigned long', 'unsigned long']],
  mkfifo: ['int', ['str', 'uint32']],
  pipe2: ['int', ['void *', 'int']],
  fcntl: ['int', ['int', 'int', 'long']],
  ioctl: ['int', ['int', 'unsigned long', 'long']],
  socket: ['int', ['int', 'int', 'int']],
  socketpair: ['int', ['int', 'int', 'int', 'void *']],
  bind: ['int', ['int', 'void *', 'uint32']],
  listen: ['int', ['int', 'int']],
  close: ['int', ['int']],
  getsid: ['int', ['int']],
  send: ['long', ['int', 'void *', 'size_t', 'int']],
  sendto: ['long', ['int', 'void *', 'size_t', 'int', 'void *', 'uint32']],
  poll: ['int', ['void *', 'unsigned long', 'int']],
  kill: ['int', ['int', 'int']],
  tcgetattr: ['int', ['int', 'void *']],
  tcsetattr: ['int', ['int', 'int', 'void *']],
  // The former handler comes back as a number.
  signal: ['long', ['int', 'void *']],
  pthread_sigmask: ['int', ['int', 'void *', 'void *']],
  setgroups: ['int', ['size_t', 'void *']],
  setresgid: ['int', ['uint32', 'uint32', 'uint32']],
  setresuid: ['int', ['uint32', 'uint32', 'uint32']],
  _exit: ['void', ['int']],
  ...spawnSignatures,
} as const satisfies Record<string, readonly [string, readonly string[]]>

/** Declared a second time, for calls whose last argument is a pointer. */
const FCNTL_WITH_POINTER = ['int', 'int', 'void *'] as const
const IOCTL_WITH_POINTER = ['int', 'unsigned long', 'void *'] as const
const SYSCALL_WITH_POINTER = ['long', 'long', 'long', 'void *'] as const

/** The functions of libc, and how their errors are read. */
export function bindLibc(libc: LibcBinding) {
  const bound = new Map<string, LibcFunction>()
  // Bound at first use: a program pays for the calls it makes.
  const func = (key: string, name: string, result: string, args: readonly string[]) => {
    let fn = bound.get(key)
    if (fn === undefined) {
      fn = libc.func(name, result, args)
      bound.set(key, fn)
    }
    return fn
  }
  /** Calls and returns what libc returned, -1 included. */
  const raw = (name: keyof typeof signatures, ...args: unknown[]): number => {
    const [result, types] = signatures[name]
    return Number(func(name, name, result, types)(...args))
  }
  const failure = (name: string): NativeError => {
    const errno = libc.errno()
    return new NativeError(name, errno, errnoName(errno))
  }
  const call = (name: keyof typeof signatures, ...args: unknown[]): number => {
    const value = raw(name, ...args)
    if (value === -1) throw failure(name)
    return value
  }
  /** Of functions that return the error's number instead of setting errno. */
  const returned = (name: keyof typeof signatures, ...args: unknown[]): void => {
    const errno = raw(name, ...args)
    if (errno !== 0) throw new NativeError(name, errno, errnoName(errno))
  }
  return {
    raw,
    call,
    returned,
    /** The error of the last call, by errno. */
    failure,
    ioctlPointer: () => func('ioctl*', 'ioctl', 'int', IOCTL_WITH_POINTER),
    syscallPointer: () => func('syscall*', 'syscall', 'long', SYSCALL_WITH_POINTER),
    fcntlPointer: () => func('fcntl*', 'fcntl', 'int', FCNTL_WITH_POINTER),
  }
}

const errnoName = (errno: number): string =>
  Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`
