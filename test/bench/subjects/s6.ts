import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Found, Service } from '../subject.ts'
import { onMachine, type Programs } from './programs.ts'

/** s6-svscan as PID 1, one s6-supervise per service. */
export function s6(programs: Programs = onMachine): Found {
  const svscan = programs.find('s6-svscan')
  if (svscan === undefined) return { name: 's6', missing: 's6-svscan is not on PATH (Debian: s6)' }
  return {
    name: 's6',
    version: programs.version('s6'),
    mostSlots: 400,
    lay: (dir, services) => ({
      argv: [svscan, layScan(join(dir, 'scan'), services)],
      env: { PATH: programs.path },
      stop: { signal: 'TERM' },
      status: (service) => ['s6-svstat', join(dir, 'scan', service)],
      control: (verb, service) => [
        's6-svc',
        ...(verb === 'stop' ? ['-wd', '-d'] : ['-wu', '-u']),
        join(dir, 'scan', service),
      ],
    }),
  }
}

/** As `s6`, with an s6-log per service that copies to stdout and writes stamped, rotated files. */
export function s6WithLog(programs: Programs = onMachine): Found {
  const found = s6(programs)
  if ('missing' in found) return found
  const lay: typeof found.lay = (dir, services) => {
    const launch = found.lay(dir, services)
    for (const { name } of services) {
      const log = join(dir, 'scan', name, 'log')
      mkdirSync(log)
      writeFileSync(join(log, 'run'), '#!/bin/sh\nexec s6-log -b n10 s1000000 1 T ./lines\n', { mode: 0o755 })
    }
    return launch
  }
  return { ...found, name: 's6+s6-log', lay }
}

function layScan(scan: string, services: readonly Service[]): string {
  for (const { name, program, stopTimeoutS } of services) {
    const dir = join(scan, name)
    mkdirSync(dir, { recursive: true })
    if (stopTimeoutS !== undefined) writeFileSync(join(dir, 'timeout-kill'), `${stopTimeoutS * 1000}\n`)
    // s6 restarts a service at once if it had announced readiness, and after a second otherwise.
    writeFileSync(join(dir, 'notification-fd'), '3\n')
    writeFileSync(join(dir, 'run'), `#!/bin/sh\necho >&3\nexec 3>&-\nexec ${program}\n`, { mode: 0o755 })
  }
  return scan
}
