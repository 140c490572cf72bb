// Limits of a process as text for sh, which sets its own before it becomes the program.
import { shellQuote } from './sh-environment.ts'

/** Values as in config.yaml: counts, bytes, or ms for `cpu`; null: unlimited. */
export interface ProcessLimits {
  readonly nice: number | null
  readonly rlimits: Readonly<Record<string, number | null | undefined>> | null
}

interface Flag {
  /** Options of ulimit; the first one that the shell knows is used. */
  readonly flags: readonly string[]
  /** The shell's unit in that of the value. */
  readonly unit: number
}

/** POSIX has only -f, in blocks of 512 bytes; dash, busybox and bash called sh agree on the rest, except on nproc. */
const FLAGS: Readonly<Record<string, Flag>> = {
  nofile: { flags: ['-n'], unit: 1 },
  // -p of bash is the size of a pipe, and dash does not know -u.
  nproc: { flags: ['-u', '-p'], unit: 1 },
  core: { flags: ['-c'], unit: 512 },
  fsize: { flags: ['-f'], unit: 512 },
  as: { flags: ['-v'], unit: 1024 },
  memlock: { flags: ['-l'], unit: 1024 },
  stack: { flags: ['-s'], unit: 1024 },
  cpu: { flags: ['-t'], unit: 1000 },
}

/**
 * Lines that set the limits, hard and soft. If one cannot be set, the shell says so and exits with 126.
 * @param name what the message begins with: the slot
 */
export function limitLines({ rlimits }: ProcessLimits, name: string): readonly string[] {
  return Object.entries(rlimits ?? {}).flatMap(([limit, value]) => {
    const flag = FLAGS[limit]
    if (flag === undefined || value === undefined) return []
    const amount = value === null ? 'unlimited' : `${Math.ceil(value / flag.unit)}`
    const tries = flag.flags.map((option) => `ulimit ${option} ${amount} 2>/dev/null`).join(' || ')
    const written = value === null ? 'unlimited' : `${value}${limit === 'cpu' ? ' ms' : ''}`
    const text = `hermes: ${name}: rlimits.${limit} cannot be set to ${written}; its hard limit may be lower`
    return [`${tries} || { printf '%s\\n' ${shellQuote(text)} >&2; exit 126; }`]
  })
}

/** Words before the program's own. */
export const niceWords = ({ nice }: ProcessLimits): readonly string[] =>
  nice === null ? [] : ['nice', '-n', `${nice}`]

/**
 * A command line that sets the limits and becomes `argv`.
 * @returns `argv` itself without limits
 */
export function withLimits(argv: readonly string[], limits: ProcessLimits, name: string): readonly string[] {
  const lines = limitLines(limits, name)
  const words = niceWords(limits)
  if (lines.length + words.length === 0) return argv
  return ['/bin/sh', '-c', [...lines, ['exec', ...words, '"$@"'].join(' ')].join('\n'), 'sh', ...argv]
}
