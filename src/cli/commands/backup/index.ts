/** Backups of the whole home. The code that makes and reads them is a bundle of its own. */
import { EXIT } from '../../../system/errors.ts'
import type { Command } from '../../context/command.ts'
import { backup } from './backup.ts'
import { exportProfile, importFile } from './profile-file.ts'
import { restore } from './restore.ts'
import { schedule } from './schedule.ts'
import { importUpstream } from './upstream.ts'

export const BACKUP_GROUP = {
  name: 'backup',
  summary: 'Manage backups of the home; without a subcommand: create one',
  alone: 'create',
} as const

export const IMPORT_GROUP = { name: 'import', summary: 'Show and take over what another program has made' } as const

export const BACKUP_COMMANDS: readonly Command[] = [
  {
    path: 'backup create',
    writes: true,
    summary: 'Write the whole home into one file, while everything runs',
    options: [
      {
        long: '--out',
        value: 'FILE',
        help: 'file to write, replaced when all is written; directory for a new file; or -: standard output; default: $HERMES_HOME/backups',
      },
      { long: '--keep', value: 'N', help: 'then remove older backups in the same directory, so that N are left' },
      { long: '--without-secrets', help: 'leave out .env, auth.json, dashboard.key and dashboard.tokens' },
      { long: '--with-logs', help: 'add the logs' },
      { long: '--with-board', help: 'add boards that are in a database, as lines of JSON' },
      { long: '--encrypt', help: 'encrypt it with a passphrase, in the format of age' },
    ],
    details: `The file is a tar.gz with the mode 0600. Its first entry, manifest.json, lists every file with its SHA-256.
Each database is in it as it was at one moment. The passphrase is read from the file that
HERMES_BACKUP_PASSPHRASE_FILE names, or typed twice on a terminal.`,
    exits: {
      [EXIT.failed]: 'there is no backup, or it lacks files that standard error names',
    },
    run: backup,
  },
  {
    path: 'backup schedule',
    writes: true,
    summary: 'Make backups at times; without times: show the schedule',
    arguments: [{ name: 'TIMES', help: 'five or six cron fields, such as "0 3 * * *"', kind: 'optional' }],
    options: [
      { long: '--keep', value: 'N', help: 'number of backups that are kept; default: 7' },
      { long: '--out', value: 'DIR', help: 'directory for the backups, which exists; default: $HERMES_HOME/backups' },
      { long: '--remove', help: 'remove the schedule, and keep the backups' },
    ],
    details: 'The schedule is a profile named backup, whose gateway is hermes backup.',
    run: schedule,
  },
  {
    path: 'restore',
    summary: 'Fill an empty home from a backup, without starting anything',
    arguments: [{ name: 'FILE', help: 'file that hermes backup has written, or -: standard input', kind: 'required' }],
    options: [
      { long: '--into', value: 'DIR', help: 'directory that is empty or does not exist; default: $HERMES_HOME' },
      { long: '--verify', help: 'compare the file with its checksums, and write nothing' },
      { long: '--start-as-before', help: 'let gateways that ran start at the next boot; without it, none does' },
    ],
    details: `Everything is compared with its checksum before anything is written.
A home in which something is, or on which hermes runs, is refused.`,
    exits: { [EXIT.failed]: 'the file is damaged, or the home is not empty; nothing was written' },
    run: restore,
  },
  {
    path: 'profile export',
    writes: true,
    summary: 'Write a profile into one file, also while its gateway runs',
    arguments: [{ name: 'NAME', help: 'name of the profile', kind: 'required', completes: 'profiles' }],
    options: [
      {
        long: '--out',
        value: 'FILE',
        help: 'file to write, replaced when all is written; directory for a new file; or -: standard output; default: $HERMES_HOME/backups',
      },
      { long: '--without-secrets', help: 'leave out .env and auth.json' },
      { long: '--encrypt', help: 'encrypt it with a passphrase, in the format of age' },
    ],
    details: 'The file has the form of hermes backup. Logs and tasks of the board are not in it.',
    exits: {
      [EXIT.failed]: 'there is no file, or it lacks files that standard error names',
      [EXIT.noSuch]: 'no such profile',
    },
    run: exportProfile,
  },
  {
    path: 'profile import',
    writes: true,
    summary: 'Make a profile of a file that hermes profile export has written, without starting it',
    arguments: [{ name: 'FILE', help: 'the file, or -: standard input', kind: 'required' }],
    options: [{ long: '--name', value: 'NEW', help: 'name of the new profile; default: the one that it had' }],
    details: `Everything is compared with its checksum before anything is written. A profile that exists is not
replaced. The gateway starts neither now nor at a boot, until hermes gateway start.`,
    exits: { [EXIT.failed]: 'the file is damaged, or a profile of this name exists; nothing was written' },
    run: importFile,
  },
  {
    path: 'import upstream',
    summary: 'Fill an empty home from one of the original hermes agent, without starting anything',
    arguments: [{ name: 'DIR', help: 'its home, such as ~/.hermes', kind: 'required' }],
    options: [
      { long: '--dry-run', help: 'print what would be taken, and write nothing' },
      { long: '--into', value: 'DIR', help: 'directory that is empty or does not exist; default: $HERMES_HOME' },
    ],
    details: `Each profile is taken with settings, keys, memories, skills and conversations, also while the agent runs.
The program itself, caches, logs and boards of another form are left out and named.`,
    exits: { [EXIT.failed]: 'the directory is not empty, or a file cannot be read; nothing was written' },
    run: importUpstream,
  },
]
