// The end of a run of tests that is interrupted: none of its tests goes on beside the next run, on the ports, names and
// containers of that one. A process that is killed does not take its children along, so each of ours watches the
// process that started it.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { REPORT_FILE } from './report-file.ts'

const LOOK_AGAIN_MS = 500
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Variable with the pid of a process with which a run of tests ends; .ci/run names itself. */
export const ENDS_WITH = 'HERMES_TESTS_END_WITH'

/**
 * While this program runs, which leads a process group, our end is the group's: at a signal, or when the process that
 * started us has ended.
 */
export async function whileWanted<T>(program: ChildProcess, ended: Promise<T>): Promise<T> {
  const { pid } = program
  if (pid === undefined) return ended // it was not started, and `ended` says why
  const stop = (): void => endGroup(pid)
  const starters = startersOfUs()
  const look = setInterval(() => starters.every((isThere) => isThere()) || stop(), LOOK_AGAIN_MS)
  for (const signal of SIGNALS) process.on(signal, stop)
  try {
    return await ended
  } finally {
    clearInterval(look)
    for (const signal of SIGNALS) process.off(signal, stop)
  }
}

/** For vitest itself, and each of its workers: when the process that started it is gone, it ends. */
export function endWithStarter(part: 'vitest' | 'worker'): void {
  // No channel: it is started by hand.
  if (process.channel === undefined || process.listenerCount('disconnect') > 0) return
  const isGroup = process.env[REPORT_FILE] !== undefined
  const leader = part === 'vitest' ? process.pid : process.ppid
  process.once('disconnect', () => {
    if (isGroup) endGroup(leader)
    else process.exit(1)
  })
  // To listen keeps a process from ending by itself.
  if (part === 'vitest') process.channel.unref()
}

/** Its programs have ten seconds to remove what they have made, whether we live so long or not. */
const END_GROUP = `kill -TERM "-$0"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do kill -0 "-$0" || exit 0; sleep 0.5; done
kill -KILL "-$0"`

function endGroup(leader: number): void {
  spawn('sh', ['-c', END_GROUP, String(leader)], { detached: true, stdio: 'ignore' }).unref()
}

/** Whether each of the processes that this run ends with is still there. */
function startersOfUs(): readonly (() => boolean)[] {
  const { ppid } = process
  const named = Number(process.env[ENDS_WITH])
  const since = startOf(named)
  return [
    // Any other one may end before us: that of `node scripts/test.ts &` in a shell that ends.
    () => process.env.npm_lifecycle_event === undefined || process.ppid === ppid,
    () => since === undefined || startOf(named) === since,
  ]
}

/** When the process started, in ticks of the kernel: its pid may be another's later. Undefined: there is none. */
function startOf(pid: number): string | undefined {
  try {
    const [, fields = ''] = /^.*\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? []
    return fields.split(' ')[19]
  } catch {
    return undefined
  }
}
