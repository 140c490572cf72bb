import { EXIT } from '../../system/errors.ts'
import { oneLine } from '../../system/text/foreign-text.ts'
import { findAll } from '../checks/checks.ts'
import type { Finding } from '../checks/finding.ts'
import type { Command } from '../context/command.ts'
import type { Context } from '../context/context.ts'
import type { Outcome } from '../terminal/output.ts'

export const DOCTOR_COMMANDS: readonly Command[] = [
  {
    path: 'doctor',
    summary: 'Check install, identity, volume, profiles, supervisor, ports, stale files, zombies, clock, disk',
    exits: { 0: 'nothing needs repair', 1: 'something needs repair' },
    run: examine,
  },
]

async function examine(context: Context): Promise<Outcome> {
  const findings = await findAll(context)
  return {
    text: findings.map(findingText).join(''),
    json: findings,
    exitCode: findings.some(({ state }) => state === 'fail') ? EXIT.failed : EXIT.done,
  }
}

const findingText = ({ check, state, text, next }: Finding): string =>
  `${state.padEnd(5)}${check}: ${oneLine(text)}\n${next === undefined ? '' : `       next: ${oneLine(next)}\n`}`
