// The commands for backups and files of profiles; other commands do not load what they need.
export {
  importProfile,
  makeBackup,
  openBackup,
  readBackup,
  restoreBackup,
  spool,
} from '../../src/backup/program.ts'
