import { mkdirSync, symlinkSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import type { Found, Service } from '../subject.ts'
import { onMachine, type Programs } from './programs.ts'

/** runsvdir as PID 1, one runsv per service; stopped as its images do it: `sv force-stop`, then HUP. */
export function runit(programs: Programs = onMachine): Found {
  const runsvdir = programs.find('runsvdir')
  if (runsvdir === undefined) return { name: 'runit', missing: 'runsvdir is not on PATH (Debian: runit)' }
  return {
    name: 'runit',
    version: programs.version('runit'),
    mostSlots: 1000,
    lay: (dir, services) => ({
      argv: [runsvdir, layScan(join(dir, 'scan'), services)],
      env: { PATH: programs.path },
      // sv waits as long for every service.
      stop: {
        command: ['/bin/sh', '-c', `sv -w ${longestStop(services)} force-stop ${dir}/scan/* >/dev/null`],
        lastly: 'HUP',
      },
      status: (service) => ['sv', 'status', join(dir, 'scan', service)],
      control: (verb, service) => ['sv', verb, join(dir, 'scan', service)],
    }),
  }
}

const longestStop = (services: readonly Service[]): number =>
  Math.max(...services.map(({ stopTimeoutS = 0 }) => stopTimeoutS)) || 10

function layScan(scan: string, services: readonly Service[]): string {
  for (const { name, program } of services) {
    mkdirSync(join(scan, name), { recursive: true })
    symlinkSync(program, join(scan, name, 'run'))
  }
  // runsvdir waits while the directory's time is within the current second: something may still be added.
  utimesSync(scan, 1_000_000_000, 1_000_000_000)
  return scan
}
