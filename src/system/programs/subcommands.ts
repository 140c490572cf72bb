/** First words that are the command line's own: init gives a main program that starts with one to `hermes`. */
export const SUBCOMMANDS = [
  'profile',
  'gateway',
  'status',
  'logs',
  'healthcheck',
  'doctor',
  'config',
  'env',
  'version',
  'completion',
  'login',
  'setup',
  'chat',
  'dashboard',
  'kanban',
  'service',
  'help',
] as const

export const isSubcommand = (word: string): boolean => (SUBCOMMANDS as readonly string[]).includes(word)
