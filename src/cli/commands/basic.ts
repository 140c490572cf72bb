import { EXIT } from '../../system/errors.ts'
import type { Command } from '../context/command.ts'
import { healthcheck, readiness, status, version } from './hot.ts'

/** The hot commands again, for the parser, the help and the reference. */
export const BASIC_COMMANDS: readonly Command[] = [
  {
    path: 'status',
    summary: 'who supervises, every slot, and what is wrong',
    exits: { [EXIT.noSupervisor]: 'the supervisor is not running' },
    run: status,
  },
  {
    path: 'healthcheck',
    summary: 'is the container alive; with --ready: are the gateways up',
    options: [
      {
        long: '--ready',
        value: '[NAME]',
        help: 'every wanted gateway, or that of NAME, is up or within its start time',
      },
    ],
    details: 'Helpers such as the dashboard do not count.',
    exits: { 0: 'yes', 1: 'no, also when no supervisor runs' },
    run: (context, input) => {
      const { ready } = input.options
      return ready === undefined
        ? healthcheck(context)
        : readiness(context, ready === true ? context.wishedProfile : ready)
    },
  },
  { path: 'version', summary: 'the version of hermes, its revision, build date and base image', run: version },
]
