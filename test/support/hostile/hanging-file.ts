// A file of a file system that never answers, like one on a network mount whose server is gone.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { whyMissing } from '../tools.ts'

/** Mounts it, says so, and keeps it until its input ends. FUSE's kernel side waits for a first answer of its program before all else. */
const MOUNT = `
import ctypes, os, sys
device = os.open('/dev/fuse', os.O_RDWR)
options = f'fd={device},rootmode=100000,user_id=0,group_id=0,allow_other'
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b'hangs', sys.argv[1].encode(), b'fuse', 0, options.encode()) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
print('mounted', flush=True)
sys.stdin.read()`

/** Why there is none here; undefined: there is one. */
export function whyNoHangingFile(): string | undefined {
  const missing = whyMissing('python3')
  if (missing !== undefined) return missing
  const onTmpfs = 'mount -t tmpfs tmpfs /mnt && touch /mnt/file && exec python3 -c "$1" /mnt/file'
  const { status, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', onTmpfs, 'sh', MOUNT], {
    input: '',
    encoding: 'utf8',
  })
  return status === 0 ? undefined : `no FUSE: ${stderr.trim().split('\n').at(-1)}`
}

/**
 * Lets every look at a file hang from now on, in the mount namespace of a process; its PID namespace does not hold what does that.
 * @param pid the process
 * @param file it is there
 */
export async function letHang(pid: number, file: string): Promise<AsyncDisposable> {
  const holder = spawn('nsenter', ['--target', String(pid), '--mount', '--', 'python3', '-c', MOUNT, file], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(holder, 'exit')
  const first = await Promise.race([once(holder.stdout, 'data'), ended])
  if (String(first[0]).trim() !== 'mounted') throw new Error(`${file} cannot be made to hang (${first[0]})`)
  return {
    [Symbol.asyncDispose]: async () => {
      holder.stdin.end()
      await ended
    },
  }
}
