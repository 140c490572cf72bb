interface Libc {
  /** Returns what the function returns. */
  raw(name: 'prctl' | 'memmove', ...args: unknown[]): number
  /** @throws NativeError for -1 */
  call(name: 'prctl', ...args: unknown[]): number
  /** syscall(2) whose fourth argument is a pointer. */
  syscallPointer(): (...args: unknown[]) => unknown
}

const PR_CAPBSET_DROP = 24
const PR_SET_NO_NEW_PRIVS = 38
/** More than Linux has; it returns EINVAL for the first that does not exist (capabilities(7)). */
const MAX_CAPABILITIES = 64
/** seccomp(2) has no function in C libraries. */
const SYS_SECCOMP: Readonly<Record<string, number>> = { x64: 317, arm64: 277 }
const SECCOMP_SET_MODE_FILTER = 1
const SECCOMP_FILTER_FLAG_TSYNC = 1
const BPF_RET = 6
const SECCOMP_RET_ALLOW = 0x7fff0000

/** `Native.refuseNewPrivileges`. The bounding set is one thread's; that of the others is of no use to them then. */
export function refuseNewPrivileges(libc: Libc): void {
  libc.call('prctl', PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
  passOnToThreads(libc)
  let capability = 0
  while (capability < MAX_CAPABILITIES && libc.raw('prctl', PR_CAPBSET_DROP, capability, 0, 0, 0) !== -1) capability++
}

/**
 * prctl(2) sets it for one thread, and Node has others already. A seccomp filter for all threads takes it along; ours
 * allows everything. A kernel without such filters leaves it at this thread, the one that starts programs.
 */
function passOnToThreads(libc: Libc): void {
  const number = SYS_SECCOMP[process.arch]
  if (number === undefined) return
  // struct sock_filter: code, jt, jf, k.
  const filter = Buffer.alloc(8)
  filter.writeUInt16LE(BPF_RET, 0)
  filter.writeUInt32LE(SECCOMP_RET_ALLOW, 4)
  // struct sock_fprog: the number of instructions, and where they are.
  const program = Buffer.alloc(16)
  program.writeUInt16LE(1, 0)
  program.writeBigUInt64LE(BigInt(libc.raw('memmove', filter, filter, 0)), 8)
  libc.syscallPointer()(number, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, program)
  // V8 does not know that `program` refers to `filter`: this use keeps it until now.
  libc.raw('memmove', filter, filter, 0)
}
