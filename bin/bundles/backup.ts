// `hermes backup` and `hermes restore`; other commands do not load what they need.
export { makeBackup, openBackup, readBackup, restoreBackup, spool } from '../../src/backup/program.ts'
