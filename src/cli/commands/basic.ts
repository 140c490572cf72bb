import { EXIT } from '../../system/errors.ts'
import type { Command } from '../context/command.ts'
import { healthcheck, readiness, status, version } from './frequent.ts'

/** Describes the frequent commands for the parser, the help and the reference. */
export const BASIC_COMMANDS: readonly Command[] = [
  {
    path: 'status',
    summary: 'Show the supervisor, every slot and current problems',
    exits: { [EXIT.noSupervisor]: 'the supervisor is not running' },
    run: status,
  },
  {
    path: 'healthcheck',
    summary: 'Check that the supervisor answers; with --ready, that the gateways are up',
    options: [
      {
        long: '--ready',
        value: '[NAME]',
        help: 'check that every gateway that should run, or only that of NAME, is up or still within its start time',
      },
    ],
    details: 'Helper slots such as the dashboard are not checked.',
    exits: { 0: 'healthy', 1: 'not healthy, or the supervisor is not running' },
    run: (context, input) => {
      const { ready } = input.options
      return ready === undefined
        ? healthcheck(context)
        : readiness(context, ready === true ? context.requestedProfile : ready)
    },
  },
  { path: 'version', summary: 'Print the version of hermes, its revision, build date and base image', run: version },
]
