import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { hasCode } from '../../../system/error-code.ts'
import { HermesError } from '../../../system/errors.ts'
import { accountRows } from '../../../system/files/accounts.ts'
import { makeDirectory } from '../../../system/files/directory.ts'
import { replaceFileSync } from '../../../system/files/replace-file.ts'
import { isImageInstall } from '../../../system/programs/install.ts'
import { shellWord } from '../../../system/programs/sh-environment.ts'
import { type Input, textOption } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { UNIT_MARK, type UnitFacts, unitText } from './unit.ts'

const NAME = 'hermes.service'
const SYSTEM_DIR = '/etc/systemd/system'
/** Settings that init reads before any file, besides HERMES_HOME. */
const SETTINGS = ['HERMES_RUN_DIR', 'HERMES_STOP_TIMEOUT']
/** npx keeps packages there until its cache is emptied. */
const OF_NPX = '/_npx/'

/** `hermes systemd install` */
export function installUnit(context: Context, input: Input): Outcome {
  const facts = unitFacts(context, input)
  const text = unitText(facts)
  if (input.options.print === true) return { text, json: { ...facts, text } }
  const file = join(facts.kind === 'system' ? SYSTEM_DIR : userDir(context), NAME)
  write(file, text, facts.kind)
  const systemctl = facts.kind === 'system' ? 'systemctl' : 'systemctl --user'
  const next = [`${systemctl} daemon-reload`, `${systemctl} enable --now hermes`]
  // Without it, the user's manager ends with the last session.
  if (facts.kind === 'user') next.push('loginctl enable-linger, so that it also runs while you are not logged in')
  return { text: `${file} is written\nnext: ${next.join('\n      ')}\n`, json: { ...facts, file, next } }
}

/** @throws HermesError for a place or a user that a unit cannot name */
function unitFacts(context: Context, input: Input): UnitFacts {
  const { env, install, uid } = context
  const { user: wantsUser, system: wantsSystem } = input.options
  if (isImageInstall(install))
    throw new HermesError('USAGE', 'in its container, Hermes is started by the engine', {
      next: 'on the host: docker run --restart unless-stopped',
    })
  if (wantsUser === true && wantsSystem === true)
    throw new HermesError('USAGE', '--user and --system exclude each other', { next: 'use only one of them' })
  if (install.includes(OF_NPX))
    throw new HermesError('REFUSED', `${install} is in the cache of npx, which may be emptied`, {
      next: 'npm install --global the package, then hermes systemd install',
    })
  const kind = wantsSystem === true || (wantsUser !== true && uid === 0) ? 'system' : 'user'
  const as = textOption(input, 'as')
  if (as !== undefined && kind === 'user')
    throw new HermesError('USAGE', '--as is for a unit of the system', { next: 'hermes systemd install --system' })
  const account = kind === 'system' ? accountOf(as ?? (uid === 0 ? env.SUDO_USER : uid)) : undefined
  const facts: UnitFacts = {
    kind,
    hermes: join(install, 'bin', 'hermes'),
    user: account?.name,
    home: env.HERMES_HOME || account === undefined ? context.home : join(account.home, '.hermes'),
    path: env.PATH ?? '',
    settings: Object.fromEntries(SETTINGS.flatMap((name) => (env[name] ? [[name, env[name]]] : []))),
  }
  for (const text of [facts.hermes, facts.home, facts.path, ...Object.values(facts.settings)])
    if (/[\0-\x1f]/.test(text))
      throw new HermesError('REFUSED', `a unit cannot name ${JSON.stringify(text)}`, { next: 'use another path' })
  return facts
}

/**
 * The account of a system unit: root is taken only if it is named.
 * @param wanted name, or uid of the caller
 */
function accountOf(wanted: string | number | undefined): { readonly name: string; readonly home: string } {
  if (wanted === undefined)
    throw new HermesError('USAGE', 'a unit of the system needs the name of the user who runs Hermes', {
      next: 'hermes systemd install --system --as USER',
    })
  const row = accountRows(readFileSync('/etc/passwd', 'utf8')).find(([name, , id]) =>
    typeof wanted === 'string' ? name === wanted : id === String(wanted),
  )
  if (row === undefined)
    throw new HermesError('USAGE', `/etc/passwd has no user ${JSON.stringify(wanted)}`, {
      next: 'hermes systemd install --system --as USER',
    })
  return { name: row[0] ?? '', home: row[5] ?? '/' }
}

const userDir = ({ env }: Context): string => join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'systemd', 'user')

/** @throws HermesError for a file of another origin, or a directory that takes none */
function write(file: string, text: string, kind: UnitFacts['kind']): void {
  try {
    if (existsSync(file) && !readFileSync(file, 'utf8').startsWith(UNIT_MARK))
      throw new HermesError('EXISTS', `${file} was not written by hermes systemd install`, {
        next: 'remove it first, or compare it with hermes systemd install --print',
      })
    makeDirectory(dirname(file), 0o755)
    replaceFileSync(file, text, { mode: 0o644 })
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR')) throw error
    throw new HermesError('FAILED', `${file} cannot be written: ${(error as NodeJS.ErrnoException).code}`, {
      next:
        kind === 'system'
          ? `as root, or add this to the command: --print | sudo tee ${shellWord(file)}`
          : `make ${shellWord(dirname(file))} a directory that your user can write to, and run the command again`,
    })
  }
}
