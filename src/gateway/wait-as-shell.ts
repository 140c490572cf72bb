import { once } from 'node:events'
import { loadNative } from '../system/native/native-libc.ts'
import { SIGNALS } from '../system/signals.ts'
import { MEANINGLESS, STOPPING, type StopRequested } from './signals.ts'

/** For `ps`. */
const NAME = 'hermes gateway run: waits until the container stops'
const A_LONG_TIME_S = 2_000_000_000
// KILL: a child that is only just forked loses any other signal, and would hold our streams for good.
const TEXT = `trap 'kill -KILL $! 2>/dev/null; exit 0' TERM INT HUP QUIT
trap '' USR1 USR2
while :; do
  sleep ${A_LONG_TIME_S} &
  wait $!
done`

/**
 * Becomes a shell that waits for a signal and exits with 0: it takes 1 MB, and a Node 23. No signal is lost on the way:
 * those that have arrived are reported first, and one that arrives now ends this process.
 * @returns when a stop is requested, or where Node cannot exec
 */
export async function waitAsShell(stopped: StopRequested): Promise<void> {
  if (process.execve === undefined) return
  const { native } = await loadNative()
  let isStopped = false
  void stopped.first.then(() => {
    isStopped = true
  })
  // Not by removing the listeners: a signal that was caught a moment before would be dropped with them.
  for (const signal of STOPPING) native.endBy(SIGNALS[signal])
  // Listeners are called in the order in which signals were caught: after this one, none before it is outstanding.
  const last = once(process, MEANINGLESS)
  process.kill(process.pid, MEANINGLESS)
  await last
  if (!isStopped) process.execve('/bin/sh', [NAME, '-c', TEXT], process.env)
}
