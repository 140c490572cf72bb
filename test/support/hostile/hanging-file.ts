// A file of a file system that never answers, like one on a network mount whose server is gone.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tryRunSync } from '../../../scripts/run.ts'
import { whyMissing } from '../tools.ts'

/**
 * Enters the mount namespace of a process, mounts it, says so, and keeps it until its input ends. FUSE's kernel side
 * waits for a first answer of its program before all else; \`opening\` answers that one and one look at the attributes
 * (linux/fuse.h: INIT 26, GETATTR 3; STATX is ENOSYS). Later requests are not even read: a process that waits for the
 * answer to a request that was read cannot be killed.
 */
const MOUNT = `
import ctypes, os, struct, sys, threading
device = os.open('/dev/fuse', os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
if libc.setns(os.open(f'/proc/{sys.argv[3]}/ns/mnt', os.O_RDONLY), 0) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
options = f'fd={device},rootmode=100000,user_id=0,group_id=0,allow_other'
if libc.mount(b'hangs', sys.argv[1].encode(), b'fuse', 0, options.encode()) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
def answer():
    while answers:
        _, opcode, unique = struct.unpack_from('<IIQ', os.read(device, 1 << 17))
        body = answers.pop(opcode, b'')
        os.write(device, struct.pack('<IiQ', 16 + len(body), 0 if body else -38, unique) + body)
answers = {
    26: struct.pack('<IIIIHHIIHHI28x', 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, 0),
    3: struct.pack('<QIIQQQQQQIIIIIIIIII', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o100644, 1, 10000, 10000, 0, 512, 0),
}
if sys.argv[2] == 'opening':
    threading.Thread(target=answer, daemon=True).start()
print('mounted', flush=True)
sys.stdin.read()`

/** Why there is none here; undefined: there is one. */
export function whyNoHangingFile(): string | undefined {
  const missing = whyMissing('python3')
  if (missing !== undefined) return missing
  const onTmpfs = 'mount -t tmpfs tmpfs /mnt && touch /mnt/file && exec python3 -c "$1" /mnt/file looking $$'
  const { code, stderr } = tryRunSync('unshare', ['--mount', 'sh', '-c', onTmpfs, 'sh', MOUNT])
  return code === 0 ? undefined : `no FUSE: ${stderr.trim().split('\n').at(-1)}`
}

/**
 * Lets every look at a file hang from now on, in the mount namespace of a process; its PID namespace does not hold what
 * does that.
 * @param pid the process
 * @param file it is there
 * @param what `opening`: only to open it hangs
 */
export async function letHang(
  pid: number,
  file: string,
  what: 'looking' | 'opening' = 'looking',
): Promise<AsyncDisposable> {
  // The program is this machine's: a container has none.
  const holder = spawn('python3', ['-c', MOUNT, file, what, String(pid)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(holder, 'exit')
  const first = await Promise.race([once(holder.stdout, 'data'), ended])
  if (String(first[0]).trim() !== 'mounted') throw new Error(`${file} cannot be made to hang (${first[0]})`)
  return {
    [Symbol.asyncDispose]: async () => {
      holder.stdin.end()
      await ended
      // The namespace may be gone with its process.
      tryRunSync('nsenter', ['--target', String(pid), '--mount', '--', 'umount', '--lazy', file])
    },
  }
}
