import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { tryRunSync } from '../../scripts/run.ts'

/** Programs that some tests use and not every machine has, with the Debian package of each. */
const PACKAGES = {
  promtool: 'prometheus',
  's6-log': 's6',
  's6-svc': 's6',
  's6-svscan': 's6',
  's6-supervise': 's6',
  's6-rc-compile': 's6-rc',
  'docker-compose': 'docker-compose',
  dockerd: 'docker.io',
  execlineb: 'execline',
  strace: 'strace',
  tmux: 'tmux',
  nginx: 'nginx-light',
  caddy: 'caddy',
  haproxy: 'haproxy',
  faketime: 'faketime',
  fish: 'fish',
  python3: 'python3',
  ps: 'procps',
  openssl: 'openssl',
  'systemd-analyze': 'systemd',
  git: 'git',
  groff: 'groff-base',
  man: 'man-db',
  mandoc: 'mandoc',
  zsh: 'zsh',
  npm: 'npm',
  'linux.uml': 'user-mode-linux',
  'qemu-aarch64-static': 'qemu-user-static',
} as const

export type Tool = keyof typeof PACKAGES

/**
 * Why tests that need these programs are left out here, in one line; undefined: all are on PATH. The line goes in
 * parentheses at the end of the test's name, where `npm test` finds it: `test.skipIf(why !== undefined)(named('promtool
 * is content', why), …)`.
 */
export function whyMissing(...tools: readonly Tool[]): string | undefined {
  const missing = tools.filter((tool) => !isOnPath(tool))
  if (missing.length === 0) return undefined
  const packages = [...new Set(missing.map((tool) => PACKAGES[tool]))].join(' ')
  return `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not on PATH; apt-get install ${packages}`
}

/** Why tests that only root can run are left out. */
export const whyNotRoot = process.getuid?.() === 0 ? undefined : 'needs root'

/** Likewise of strace, which containers may forbid. */
export function whyNoStrace(): string | undefined {
  const missing = whyMissing('strace')
  if (missing !== undefined) return missing
  const { code, stderr } = tryRunSync('strace', ['-qq', '-o', '/dev/null', 'true'])
  return code === 0 ? undefined : `strace may not trace: ${stderr.trim().split('\n')[0]}`
}

/** A test's name, with the reason why it is left out. */
export const named = (name: string, why: string | undefined): string => (why === undefined ? name : `${name} (${why})`)

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? '').split(':').some((dir) => {
    try {
      accessSync(join(dir || '.', program), constants.X_OK)
      return true
    } catch {
      return false // not there, or not ours to run
    }
  })
}
