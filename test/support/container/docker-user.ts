import { execFile } from 'node:child_process'
import { statSync } from 'node:fs'

/** A user of the host who may use Docker, and nothing more. */
export const DOCKER_USER = 12_345

interface Ran {
  readonly code: number
  readonly output: string
}

/** Runs a script of bash as {@link DOCKER_USER}. */
export const runAsUser = (script: string, cwd: string, env: Readonly<Record<string, string>>): Promise<Ran> =>
  new Promise((resolve) => {
    const group = statSync('/var/run/docker.sock').gid
    const asUser = ['--reuid', `${DOCKER_USER}`, '--regid', `${DOCKER_USER}`, '--groups', `${group}`]
    const options = { cwd, env: { ...process.env, ...env }, timeout: 240_000, maxBuffer: 16_000_000 }
    execFile('setpriv', [...asUser, '--', 'bash', '-c', script], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: `${stdout}\n${stderr}` })
    })
  })
