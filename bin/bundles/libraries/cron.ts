// The reader of cron fields, for programs that check settings: few settings have a schedule.
export { Cron } from 'croner'
