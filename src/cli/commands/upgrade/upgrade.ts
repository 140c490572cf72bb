/** Looks at a home before this version runs on it. */
import { relative } from 'node:path'
import { isInDatabase } from '../../../kanban/store/boards.ts'
import { EXIT } from '../../../system/errors.ts'
import { oneLine, warningLine } from '../../../system/text/foreign-text.ts'
import { type FileLook, lookAtHome, requireHome } from '../../checks/upgrade.ts'
import type { Command } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { hermesVersion } from '../frequent.ts'

export const UPGRADE_GROUP = { name: 'upgrade', summary: 'Show the change to this version of hermes' } as const

export const UPGRADE_COMMANDS: readonly Command[] = [
  {
    path: 'upgrade check',
    summary: 'Show what this version would change in the home, and change nothing',
    details: `It looks at the boards, conversations and usage, and at the config.yaml of each profile, also while another
version runs on the home. Boards in PostgreSQL are not among them.`,
    exits: {
      [EXIT.done]: 'this version can use the home as it is',
      [EXIT.failed]: 'a file is damaged or of a newer version, or a setting is wrong',
    },
    run: check,
  },
]

function check({ home, env, paths, output }: Context): Outcome {
  requireHome(home)
  const found = lookAtHome(home)
  const version = hermesVersion()
  const notChecked = isInDatabase({ env, runDir: paths.runDir }) ? ['boards in the database'] : []
  for (const what of notChecked)
    output.err(warningLine(`not checked: ${what}; the first node of a new version changes its tables`))
  const problems = found.filter((one) => 'problem' in one)
  const changed = found.filter((one) => 'adds' in one && one.adds.length > 0)
  const verdict =
    problems.length > 0
      ? `hermes ${version} cannot use all of ${home}: ${counted(problems.length, 'problem')}\n`
      : changed.length === 0
        ? `hermes ${version} changes nothing in ${home}\n`
        : `hermes ${version} can use ${home} and changes ${counted(changed.length, 'file')}; earlier versions still read them\n` +
          '  next: hermes backup\n'
  return {
    text: found.map((one) => lineOf(one, home)).join('') + verdict,
    json: { version, home, files: found, not_checked: notChecked },
    exitCode: problems.length > 0 ? EXIT.failed : EXIT.done,
  }
}

function lineOf(look: FileLook, home: string): string {
  if ('problem' in look) return `fail ${oneLine(look.problem)}\n       next: ${oneLine(look.next)}\n`
  const what = look.adds.length === 0 ? 'stays as it is' : `gets ${look.adds.join(', ')}`
  return `ok   ${oneLine(relative(home, look.path))}: ${what}\n`
}

const counted = (n: number, one: string): string => `${n} ${one}${n === 1 ? '' : 's'}`
