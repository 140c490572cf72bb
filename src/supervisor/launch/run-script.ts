/**
 * The `run` script of a slot: what init starts with a shell, as the runtime user, in an environment without other
 * programs' variables.
 */

import { NOT_RUN_CODES, type NoProgram } from '../../slot/ending.ts'
import { EXIT, type ExitCode } from '../../system/errors.ts'
import { OOM_SCORE } from '../../system/programs/oom.ts'
import { execWith, exportLines, shellQuote } from '../../system/programs/sh-environment.ts'
import { limitLines, niceWords, type ProcessLimits } from '../../system/programs/sh-limits.ts'

const NO_LIMITS: ProcessLimits = { nice: null, rlimits: null }

export interface RunScript {
  readonly slot: string
  /** Working directory. */
  readonly cwd: string
  readonly variables: readonly { readonly name: string; readonly value: string }[]
  readonly command: readonly string[]
  /** Absent: /dev/null, as init gives it. */
  readonly stdinFile?: string
  /** Place where the command can be changed: ends the message about a command that cannot run. */
  readonly hint: string
  /** Why the command is not run, known beforehand. */
  readonly problem?: { readonly text: string; readonly exitCode: ExitCode }
  /** Arguments of a command that prints sh text, which sets more variables; it is given the pid of the script. */
  readonly fetch?: readonly string[]
  /** Octal; absent: as it is. */
  readonly umask?: string
  /** Absent: none. */
  readonly limits?: ProcessLimits
  /** File that reports to the supervisor, as a {@link NotRun}, that there was no program to run. */
  readonly notRunFile: string
}

/**
 * @throws RangeError when an argument contains a NUL, which cannot be passed to a shell
 * @returns the text of a POSIX sh script; its process becomes the command itself
 */
export function runScript(script: RunScript): string {
  const { slot, cwd, variables, command, stdinFile, hint, problem, fetch, notRunFile } = script
  const { limits = NO_LIMITS } = script
  const [program = '', ...args] = command
  const texts = [cwd, program, ...args, ...(fetch ?? []), ...variables.map(({ value }) => value)]
  if (texts.some((text) => text.includes('\0')))
    throw new RangeError(`${slot}: an argument or variable of the command contains a NUL byte`)
  const pairs = variables.map(({ name, value }) => [name, value] as const)
  const name = shellQuote(program)
  const say = (what: string): string => `printf '%s\\n' ${shellQuote(`hermes: ${slot}: ${what}`)} >&2`
  const noProgram = (code: NoProgram['code'], what: string): string => {
    const facts = shellQuote(JSON.stringify({ code, program } satisfies NoProgram))
    const tell = `{ printf '%s\\n' ${facts} >${shellQuote(notRunFile)}; } 2>/dev/null`
    return `{ ${say(`${program} ${what}; ${hint}`)}; ${tell}; exit ${NOT_RUN_CODES[code]}; }`
  }
  const noDirectory = say(`cannot go to ${cwd}; does it exist, and may this user enter it?`)
  return [
    '#!/bin/sh',
    '# Written by the supervisor at each start of the slot; what you change here is lost.',
    `cd ${shellQuote(cwd)} 2>/dev/null || { ${noDirectory}; exit 1; }`,
    // Best effort: a container may hide the file or forbid it.
    `{ read -r oom </proc/self/oom_score_adj && oom=$((oom + ${OOM_SCORE})) && [ "$oom" -le 1000 ] || oom=1000; echo "$oom" >/proc/self/oom_score_adj; } 2>/dev/null`,
    'unset oom',
    ...(script.umask === undefined ? [] : [`umask ${script.umask}`]),
    ...exportLines(pairs),
    ...(problem === undefined ? [] : [`${say(problem.text)}; exit ${problem.exitCode}`]),
    // Uses the PATH that the command will have. exec alone would name this script and a line number, not the setting.
    ...(program.includes('/')
      ? [
          `[ -e ${name} ] || { ${isHidden(name)} && ${noProgram('NOT_FOUND', 'cannot be reached: this user may not enter one of its directories')}; ${noProgram('NOT_FOUND', 'does not exist')}; }`,
          `[ -f ${name} ] && [ -x ${name} ] || ${noProgram('NOT_EXECUTABLE', 'is not executable')}`,
        ]
      : [`command -v ${name} >/dev/null || ${noProgram('NOT_FOUND', 'is not on PATH')}`]),
    ...(fetch === undefined ? [] : fetchLines(fetch, say)),
    ...limitLines(limits, slot),
    `${execWith(pairs)} ${[...niceWords(limits), program, ...args].map(shellQuote).join(' ')}${stdinFile === undefined ? '' : ` <${shellQuote(stdinFile)}`}`,
    '',
  ].join('\n')
}

/**
 * sh: sets what the command prints, which is in no argument and no file. It explains a failure itself, unless it was
 * killed.
 */
const fetchLines = (fetch: readonly string[], say: (what: string) => string): readonly string[] => [
  `hermes_fetched=$(${fetch.map(shellQuote).join(' ')} "$$") || { [ $? = ${EXIT.cannotExecute} ] || ${say('its secrets were not fetched: the program that does so has ended early')}; exit ${EXIT.cannotExecute}; }`,
  'eval "$hermes_fetched"',
  'unset hermes_fetched',
]

/**
 * sh: the nearest directory of a path that this user can see may not be entered, so the file may exist.
 * @param path a quoted argument with a slash in it
 */
const isHidden = (path: string): string =>
  `{ dir=${path}; while :; do case $dir in */*) dir=\${dir%/*} ;; *) dir=. && break ;; esac; [ ! -d "\${dir:-/}" ] || break; done; [ ! -x "\${dir:-/}" ]; }`
