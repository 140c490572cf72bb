import { CONFIG_KEYS, type ConfigKey, configKeys } from '../config/keys.ts'

/** Directories of every profile. `home` is for tools that keep their settings in one. */
export const PROFILE_DIRECTORIES = ['memories', 'sessions', 'skills', 'workspace', 'cron', 'home'] as const
/** The volume's top, which is the default profile, has these besides. */
export const HOME_DIRECTORIES = ['profiles', 'logs/gateways', 'hooks'] as const

export const soulText = (profile: string): string => `# ${profile}

You are a careful, friendly assistant. Answer briefly, say what you are unsure about, and ask before doing anything that cannot be undone.
`

export const dotEnvText =
  (): string => `# Environment of this profile's gateway, one NAME=value a line; read at each start. Keep secrets here: only you can read it.
# OPENAI_API_KEY=
# API_SERVER_ENABLED=true
# API_SERVER_PORT=8642
# API_SERVER_KEY=
`

/** Mode of config.yaml. A key written into it by mistake should not be readable by every user of the machine. */
export const CONFIG_MODE = 0o640

/**
 * Returns the seeded config.yaml: every key, commented out below its section, with an explanation.
 * @param volumeWide includes the keys that are read only from the default profile's file
 */
export function configText(volumeWide: boolean): string {
  const lines = [
    '## Settings of this profile. A line with one # shows the default: remove the # to change it.',
    '## "hermes config check" checks this file. Durations: 500ms, 30s, 1m, 2h, or a number of seconds.',
  ]
  let open: readonly string[] = []
  for (const key of configKeys()) {
    if (CONFIG_KEYS[key].volumeWide && !volumeWide) continue
    const path = key.split('.')
    const parents = path.slice(0, -1)
    const shared = commonLength(open, parents)
    if (shared === 0) lines.push('')
    // Sections are not commented out, so that each line below them can be uncommented alone.
    for (let depth = shared; depth < parents.length; depth++) lines.push(`${'  '.repeat(depth)}${parents[depth]}:`)
    lines.push(...keyLines(key, path.length - 1, path.at(-1) ?? key))
    open = parents
  }
  return `${lines.join('\n')}\n`
}

const keyLines = (key: ConfigKey, depth: number, name: string): readonly string[] => {
  const indent = '  '.repeat(depth)
  return [`${indent}## ${CONFIG_KEYS[key].help}`, `${indent}#${name}: ${CONFIG_KEYS[key].written}`]
}

const commonLength = (a: readonly string[], b: readonly string[]): number => {
  let length = 0
  while (length < a.length && length < b.length && a[length] === b[length]) length++
  return length
}

/** The seeded text with a description set. */
export const describedConfigText = (volumeWide: boolean, description: string | undefined): string => {
  const text = configText(volumeWide)
  return description === undefined
    ? text
    : text.replace(/^#description: .*$/m, () => `description: ${JSON.stringify(description)}`)
}
