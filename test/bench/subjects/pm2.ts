import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Found } from '../subject.ts'
import { onPath } from './on-path.ts'

/**
 * pm2-runtime as PID 1. `dir`: a directory that holds its programs, for a pm2 that is not on PATH (`--pm2 DIR`,
 * HERMES_BENCH_PM2). `node`: the directory of the Node it runs on.
 */
export function pm2(dir: string | undefined, node: string): Found {
  const runtime = onPath('pm2-runtime', dir === undefined ? [] : [dir, join(dir, 'node_modules', '.bin')])
  if (runtime === undefined) return { name: 'pm2', missing: 'pm2-runtime is not on PATH (npm: pm2; or --pm2 DIR)' }
  const bin = dirname(runtime)
  return {
    name: 'pm2',
    version: version(runtime),
    mostSlots: 100,
    lay: (scratch, services) => {
      const file = join(scratch, 'ecosystem.config.json')
      const apps = services.map(({ name, program, stopTimeoutS }) => ({
        name,
        script: program,
        interpreter: 'none',
        out_file: `${scratch}/${name}.log`,
        error_file: `${scratch}/${name}.err`,
        log_date_format: 'YYYY-MM-DDTHH:mm:ss.SSSZ',
        ...(stopTimeoutS !== undefined && { kill_timeout: stopTimeoutS * 1000 }),
      }))
      writeFileSync(file, JSON.stringify({ apps }))
      return {
        argv: [runtime, 'start', file],
        env: environment(scratch, node),
        stop: { signal: 'INT' },
        status: (service) => [join(bin, 'pm2'), 'describe', service],
      }
    },
  }
}

const environment = (home: string, node: string): Record<string, string> => ({
  PATH: `${node}:${process.env.PATH ?? ''}`,
  HOME: home,
  PM2_HOME: join(home, '.pm2'),
})

/** From its package: `pm2 --version` starts a daemon. */
function version(program: string): string {
  const manifest = join(dirname(realpathSync(program)), '..', 'package.json')
  return existsSync(manifest)
    ? (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
    : 'version unknown'
}
