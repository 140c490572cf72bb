/** First arguments of the command line: init passes a main program that starts with one of them to `hermes`. */
export const SUBCOMMANDS = [
  'profile',
  'gateway',
  'status',
  'usage',
  'logs',
  'meter',
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
  'nodes',
  'backup',
  'restore',
  'why',
  'help',
] as const

export const isSubcommand = (name: string): boolean => (SUBCOMMANDS as readonly string[]).includes(name)
