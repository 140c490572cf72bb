/** Hermes itself on a machine without a container: how it begins and ends. */
import { EXIT } from '../../../system/errors.ts'
import type { ArgumentSpec, Command, OptionSpec } from '../../context/command.ts'
import { FRONT_PORT_COMMAND } from './front-port.ts'
import { start } from './start.ts'
import { stop } from './stop.ts'
import { installUnit } from './systemd.ts'

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
  {
    path: 'systemd install',
    summary: 'Write a unit with which systemd starts Hermes at the boot of this machine',
    options: [
      {
        long: '--user',
        help: "write a unit of the user's manager, in ~/.config/systemd/user (default, except for root)",
      },
      { long: '--system', help: "write a unit of the system's manager, in /etc/systemd/system (default for root)" },
      { long: '--as', value: 'USER', help: 'user who runs a system unit; default: the caller, with sudo its caller' },
      { long: '--print', help: 'print the unit, and write nothing' },
    ],
    details: `The unit has the home, the PATH and the install of this command. Write it again after a move of the package.
It is not started: the output names the commands for that.`,
    exits: { 1: 'the file is not from this command, or its directory cannot be written' },
    run: installUnit,
  },
  FRONT_PORT_COMMAND,
]
