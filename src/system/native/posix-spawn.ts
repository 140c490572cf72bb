import type { SpawnedProgram } from './native.ts'

/** The functions of posix_spawn(3) and what a call of it needs, for koffi. */
export const spawnSignatures = {
  posix_spawn: ['int', ['void *', 'str', 'void *', 'void *', 'void *', 'void *']],
  posix_spawn_file_actions_init: ['int', ['void *']],
  posix_spawn_file_actions_destroy: ['int', ['void *']],
  posix_spawn_file_actions_adddup2: ['int', ['void *', 'int', 'int']],
  posix_spawn_file_actions_addopen: ['int', ['void *', 'int', 'str', 'int', 'uint32']],
  posix_spawn_file_actions_addchdir_np: ['int', ['void *', 'str']],
  posix_spawnattr_init: ['int', ['void *']],
  posix_spawnattr_setflags: ['int', ['void *', 'int16']],
  posix_spawnattr_setsigdefault: ['int', ['void *', 'void *']],
  posix_spawnattr_setsigmask: ['int', ['void *', 'void *']],
  /** For the address of a buffer: it returns its first argument. */
  memmove: ['uint64', ['void *', 'void *', 'size_t']],
} as const satisfies Record<string, readonly [string, readonly string[]]>

interface Libc {
  /** Returns what the function returns. */
  raw(name: 'memmove' | 'posix_spawn_file_actions_destroy' | 'close', ...args: unknown[]): number
  /** @throws NativeError for -1 */
  call(name: 'fcntl', ...args: unknown[]): number
  /** @throws NativeError for a returned error number */
  returned(name: keyof typeof spawnSignatures, ...args: unknown[]): void
}

/** More than posix_spawn_file_actions_t and posix_spawnattr_t have: at most 336 bytes in glibc and musl. */
const STRUCT_BYTES = 512
const SIGSET_BYTES = 128
const POSIX_SPAWN_SETSIGDEF = 0x04
const POSIX_SPAWN_SETSIGMASK = 0x08
const POSIX_SPAWN_SETSID = 0x80
const F_GETFL = 3
const F_SETFL = 4
const F_DUPFD_CLOEXEC = 1030
const O_NONBLOCK = 0o4000
const O_RDWR = 2
const STDIO = 3

/** `Native.spawn` on glibc (2.29 or newer) and musl. */
export function posixSpawn({ file, args, env, cwd, fds }: SpawnedProgram, libc: Libc): number {
  const actions = Buffer.alloc(STRUCT_BYTES)
  const lifted: number[] = []
  libc.returned('posix_spawn_file_actions_init', actions)
  try {
    for (const [target, fd] of fds.entries()) {
      if (fd !== 'ignore') {
        // One of the lowest numbers would be overwritten before its turn.
        const source = fd < fds.length ? libc.call('fcntl', fd, F_DUPFD_CLOEXEC, fds.length) : fd
        if (source !== fd) lifted.push(source)
        if (target < STDIO) makeBlocking(source, libc)
        libc.returned('posix_spawn_file_actions_adddup2', actions, source, target)
      } else if (target < STDIO)
        libc.returned('posix_spawn_file_actions_addopen', actions, target, '/dev/null', O_RDWR, 0)
    }
    libc.returned('posix_spawn_file_actions_addchdir_np', actions, cwd)
    const argv = cStrings([file, ...args], libc)
    const variables = cStrings(
      Object.entries(env).map(([name, value]) => `${name}=${value}`),
      libc,
    )
    const pid = Buffer.alloc(4)
    libc.returned('posix_spawn', pid, file, actions, attributes(libc), argv.pointers, variables.pointers)
    // V8 does not know that `pointers` refers to `bytes`: this use keeps them until now.
    for (const { bytes } of [argv, variables]) libc.raw('memmove', bytes, bytes, 0)
    return pid.readInt32LE()
  } finally {
    libc.raw('posix_spawn_file_actions_destroy', actions)
    for (const fd of lifted) libc.raw('close', fd)
  }
}

/** Few programs expect EAGAIN of their standard streams; libuv makes them blocking, too. */
function makeBlocking(fd: number, libc: Libc): void {
  const flags = libc.call('fcntl', fd, F_GETFL, 0)
  if ((flags & O_NONBLOCK) !== 0) libc.call('fcntl', fd, F_SETFL, flags & ~O_NONBLOCK)
}

/** Node ignores PIPE and our programs block USR1; exec passes both on. */
function attributes(libc: Libc): Buffer {
  const attributes = Buffer.alloc(STRUCT_BYTES)
  const everySignal = Buffer.alloc(SIGSET_BYTES, 0xff)
  libc.returned('posix_spawnattr_init', attributes)
  libc.returned('posix_spawnattr_setsigdefault', attributes, everySignal)
  libc.returned('posix_spawnattr_setsigmask', attributes, Buffer.alloc(SIGSET_BYTES))
  libc.returned(
    'posix_spawnattr_setflags',
    attributes,
    POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID,
  )
  return attributes
}

/** A char *[] that ends with NULL. `bytes` has the strings and must live as long as `pointers` is used. */
function cStrings(texts: readonly string[], libc: Libc): { readonly pointers: Buffer; readonly bytes: Buffer } {
  const bytes = Buffer.from(texts.map((text) => `${text}\0`).join(''))
  const pointers = Buffer.alloc((texts.length + 1) * 8)
  let address = BigInt(libc.raw('memmove', bytes, bytes, 0))
  for (const [index, text] of texts.entries()) {
    pointers.writeBigUInt64LE(address, index * 8)
    address += BigInt(Buffer.byteLength(text) + 1)
  }
  return { pointers, bytes }
}
