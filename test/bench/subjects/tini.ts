import type { Found } from '../subject.ts'
import { onMachine, type Programs } from './programs.ts'

/**
 * The floor: tini as PID 1 and a shell that starts every service at once. It supervises nothing, and a service that
 * dies stays dead.
 */
export function tini(programs: Programs = onMachine): Found {
  const program = programs.find('tini')
  if (program === undefined) return { name: 'tini', missing: 'tini is not on PATH (Debian: tini)' }
  return {
    name: 'tini',
    version: programs.version('tini'),
    mostSlots: 1000,
    lay: (_, services) => ({
      // -g: the signal goes to the shell and to every service.
      argv: [
        program,
        '-g',
        '--',
        '/bin/sh',
        '-c',
        'for one; do "$one" & done; wait',
        'sh',
        ...services.map((one) => one.program),
      ],
      env: { PATH: programs.path },
      stop: { signal: 'TERM' },
    }),
  }
}
