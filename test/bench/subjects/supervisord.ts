import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Found, Service } from '../subject.ts'
import { onMachine, type Programs } from './programs.ts'

export function supervisord(programs: Programs = onMachine): Found {
  const program = programs.find('supervisord')
  if (program === undefined) return { name: 'supervisord', missing: 'supervisord is not on PATH (Debian: supervisor)' }
  return {
    name: 'supervisord',
    version: programs.version('supervisor'),
    mostSlots: 300,
    lay: (dir, services) => {
      const file = join(dir, 'supervisord.conf')
      writeFileSync(file, configuration(dir, services))
      return {
        argv: [program, '--nodaemon', '--configuration', file],
        env: { PATH: programs.path, HOME: '/root' },
        stop: { signal: 'TERM' },
        status: (service) => ['supervisorctl', '--configuration', file, 'status', service],
        control: (verb, service) => ['supervisorctl', '--configuration', file, verb, service],
      }
    },
  }
}

const configuration = (dir: string, services: readonly Service[]): string =>
  [
    '[supervisord]',
    `logfile=${dir}/supervisord.log`,
    `pidfile=${dir}/supervisord.pid`,
    'user=root',
    'minfds=4096',
    '[unix_http_server]',
    `file=${dir}/supervisor.sock`,
    '[rpcinterface:supervisor]',
    'supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface',
    '[supervisorctl]',
    `serverurl=unix://${dir}/supervisor.sock`,
    ...services.flatMap(({ name, program, stopTimeoutS }) => [
      `[program:${name}]`,
      `command=${program}`,
      'autorestart=true',
      'startsecs=1',
      ...(stopTimeoutS === undefined ? [] : [`stopwaitsecs=${stopTimeoutS}`]),
      'redirect_stderr=true',
      `stdout_logfile=${dir}/${name}.log`,
      'stdout_logfile_maxbytes=1000000',
      'stdout_logfile_backups=10',
    ]),
    '',
  ].join('\n')
