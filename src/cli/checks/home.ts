/** Checks of the volume: owners, settings, stale files. */
import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { configProblemText, loadConfig } from '../../profile/config/config.ts'
import { listProfiles, type ProfileEntry } from '../../profile/directory/disk.ts'
import { moveRemainders, remainderText } from '../../profile/directory/remainders.ts'
import { readDotEnv } from '../../profile/environment/environment.ts'
import { livingHolder } from '../../profile/state/pid-file.ts'
import { walledUid } from '../../profile/walled.ts'
import { homePaths } from '../../system/paths.ts'
import { type Check, type Finding, fail, guarded, isWritable, namesIn, orOk, warn } from './finding.ts'
import { runtimeUser } from './runtime-user.ts'

/** At most this many foreign owners are named; the rest are counted. */
const MAX_NAMED = 10

/** Names offending paths one level deep; deeper paths follow from their directory. */
export const volume: Check = ({ home, uid, paths }) => {
  const top = statSync(home, { throwIfNoEntry: false })
  if (!top) return [warn('volume', `${home} does not exist yet`, 'it is created at the first start')]
  const owner = runtimeUser({ paths, uid })
  const repair = `docker restart repairs known paths; by hand, as root: chown -R ${owner.uid}:${owner.gid} ${home}`
  const findings: Finding[] =
    uid !== owner.uid || isWritable(home)
      ? []
      : [
          fail(
            'volume',
            `${home} (uid ${top.uid}, mode ${(top.mode & 0o7777).toString(8)}) is not writable for uid ${uid}`,
            repair,
          ),
        ]
  const foreign: { path: string; uid: number }[] = []
  // The files of a walled profile are its own user's; the check of the walls looks at them.
  for (const { dir } of listProfiles(home).profiles.filter(({ name }) => walledUid(home, name) === undefined))
    findings.push(
      ...guarded('volume', () => {
        foreign.push(...foreignIn(dir, owner.uid))
        return []
      }),
    )
  for (const { path, uid: other } of foreign.slice(0, MAX_NAMED))
    findings.push(warn('volume', `${path} belongs to uid ${other}, not ${owner.uid}`, repair))
  if (foreign.length > MAX_NAMED) findings.push(warn('volume', `and ${foreign.length - MAX_NAMED} more`, repair))
  return orOk(
    'volume',
    uid === owner.uid ? `${home} is writable` : `all of ${home} belongs to uid ${owner.uid}`,
    findings,
  )
}

function foreignIn(dir: string, uid: number): readonly { path: string; uid: number }[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name)
    const owner = lstatSync(path, { throwIfNoEntry: false })?.uid
    return owner === undefined || owner === uid || uid === 0 ? [] : [{ path, uid: owner }]
  })
}

export const profiles: Check = ({ home }) => {
  const listing = listProfiles(home)
  const skipped = listing.problems.map(({ name, reason }) =>
    warn(
      'profiles',
      `${join(homePaths(home).profiles, name)} is not a profile: ${reason}`,
      'rename it or move it away',
    ),
  )
  if (listing.moreProblems > 0)
    skipped.push(warn('profiles', `and ${listing.moreProblems} more entries that are not profiles`, 'move them away'))
  const open = listing.profiles.filter(({ name }) => walledUid(home, name) === undefined)
  const broken = open.flatMap((profile) => guarded('profiles', () => profileFindings(profile)))
  return orOk('profiles', `${listing.profiles.length} found; no problems in their settings`, [...skipped, ...broken])
}

function profileFindings({ name, dir }: ProfileEntry): readonly Finding[] {
  const dotEnv = join(dir, '.env')
  const mode = lstatSync(dotEnv, { throwIfNoEntry: false })?.mode ?? 0o600
  return [
    ...loadConfig(join(dir, 'config.yaml')).problems.map((problem) =>
      warn('profiles', configProblemText(problem), `hermes -p ${name} config edit`),
    ),
    ...readDotEnv(dotEnv).warnings.map((text) => warn('profiles', text, `edit ${dotEnv}`)),
    ...((mode & 0o077) === 0
      ? []
      : [
          warn(
            'profiles',
            `${dotEnv} is readable by other users (mode ${(mode & 0o777).toString(8)})`,
            `chmod 600 ${dotEnv}`,
          ),
        ]),
  ]
}

export const staleFiles: Check = ({ home }) => {
  const pidFiles = listProfiles(home)
    .profiles.filter(({ name, dir }) => existsSync(join(dir, 'gateway.pid')) && !livingHolder(dir, name))
    .map(({ dir }) => join(dir, 'gateway.pid'))
  const leftovers = namesIn(homePaths(home).profiles).filter((name) => /^\.(new|deleted)-/.test(name))
  const restores = namesIn(home).filter((name) => /^\.hermes-restoring-/.test(name))
  const moves = moveRemainders(home).map((remainder) => {
    const { text, next } = remainderText(remainder)
    return warn('stale files', `profile "${remainder.name}": ${text}`, next)
  })
  return orOk('stale files', 'none', [
    ...moves,
    ...restores.map((name) =>
      fail(
        'stale files',
        `${join(home, name)} has the part of a backup that an interrupted restore has not moved into the home`,
        'stop Hermes and run the same hermes restore again, which goes on from there',
      ),
    ),
    ...pidFiles.map((file) =>
      warn('stale files', `${file} names a process that is gone`, 'no action needed: the next gateway replaces it'),
    ),
    ...leftovers.map((name) =>
      warn(
        'stale files',
        `${join(homePaths(home).profiles, name)} is an incomplete profile`,
        `left by an interrupted command; safe to delete: rm -r ${join(homePaths(home).profiles, name)}`,
      ),
    ),
  ])
}
