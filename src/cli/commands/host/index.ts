/** Hermes itself on a machine without a container: how it begins and ends. */
import { EXIT } from '../../../system/errors.ts'
import type { ArgumentSpec, Command, OptionSpec } from '../../context/command.ts'
import { start } from './start.ts'
import { stop } from './stop.ts'

const TIMEOUT: OptionSpec = { long: '--timeout', value: 'S', help: 'stop waiting after this time (30, 500ms, 2m)' }
/** Accepted only to name the command that was meant. */
const nameOf = (verb: string): ArgumentSpec => ({
  name: 'NAME',
  help: `refused; for a gateway: hermes gateway ${verb} NAME`,
  kind: 'many',
})

export const HOST_COMMANDS: readonly Command[] = [
  {
    path: 'start',
    summary: 'Start Hermes on this machine, in the foreground; with --detach, in the background',
    arguments: [nameOf('start')],
    options: [
      { long: '--detach', help: 'start it in a session of its own, wait until it answers, and return' },
      TIMEOUT,
    ],
    details: `Gateways that ran before start again. In the foreground, Ctrl-C stops it.
With --detach, the command succeeds if Hermes is already running for this home.
In the container it is refused: docker start.`,
    exits: {
      1: 'it could not start, or without --detach, it runs already',
      [EXIT.timedOut]: 'it does not answer yet',
    },
    run: start,
  },
  {
    path: 'stop',
    summary: 'Stop Hermes on this machine, with all gateways, and wait until it has ended',
    arguments: [nameOf('stop')],
    options: [TIMEOUT],
    details:
      'Gateways that run now start again with the next hermes start.\nIn the container it is refused: docker stop.',
    exits: {
      [EXIT.noSupervisor]: 'it is not running',
      [EXIT.timedOut]: 'it still stops',
    },
    run: stop,
  },
]
