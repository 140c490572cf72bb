import type { Native } from '../system/native/native.ts'
import { SIGNALS } from '../system/signals.ts'
import type { MainProgram } from './programs/main-program.ts'

export interface SignalsOptions {
  readonly foreground: boolean
  readonly childEnded: () => void
  readonly stop: () => void
  /** Ctrl-C in the foreground. */
  readonly interrupt: () => void
  readonly reconcile: () => void
  readonly main: Pick<MainProgram, 'pid' | 'sharesTerminal' | 'hangupIsOurs'>
  readonly native: Pick<Native, 'kill' | 'unblock'>
  readonly bug: (error: unknown) => void
}

/** Handles the signals to init. Other signals keep their default, which for PID 1 is to be ignored. */
export function listenForSignals(o: SignalsOptions): void {
  process.on('SIGCHLD', o.childEnded)
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
    process.on(signal, () => {
      // Typed on a terminal we share, it is meant for the main program, which gets it from the terminal.
      if (signal !== 'SIGTERM' && o.main.sharesTerminal && o.main.pid !== undefined) return
      if (signal === 'SIGINT' && o.foreground) o.interrupt()
      else o.stop()
    })
  }
  process.on('SIGHUP', () => {
    if (o.main.hangupIsOurs()) return
    if (o.foreground) o.stop()
    else o.reconcile()
  })
  for (const signal of ['USR1', 'USR2', 'WINCH'] as const) {
    process.on(`SIG${signal}`, () => {
      const { pid } = o.main
      if (pid !== undefined) o.native.kill(pid, SIGNALS[signal])
    })
  }
  // Our Node starts with it blocked (src/system/programs/own-node.ts).
  o.native.unblock(SIGNALS.USR1)
  // Their default would stop us with the main program; in the foreground that is what a shell's user wants.
  for (const signal of ['SIGTSTP', 'SIGTTIN', 'SIGTTOU'] as const) {
    if (!o.foreground) process.on(signal, () => undefined)
  }
  // PID 1 does not die of a bug: it says so and goes on.
  process.on('uncaughtException', o.bug)
  process.on('unhandledRejection', o.bug)
}
