// The YAML parser, for all programs: most never read more than plain lines, and none keeps it in its own bundle. The
// reader of cron fields is here, too: only settings in YAML have them.
export { Cron } from 'croner'
export * from 'yaml'
