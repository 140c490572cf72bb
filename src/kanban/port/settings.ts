/** Settings of a board in a database: the same for all of its nodes, whatever their config.yaml says. */
import type { WrittenRules } from '../rules.ts'

/** The rule of each key; in config.yaml the key is `kanban.NAME`. */
const RULE_OF = {
  default_assignee: 'defaultAssignee',
  max_in_progress: 'maxInProgress',
  max_in_progress_per_profile: 'maxInProgressPerProfile',
  pools: 'pools',
  failure_limit: 'failureLimit',
  require_review: 'requireReview',
  dispatch_stale_timeout_seconds: 'dispatchStaleTimeoutSeconds',
} as const satisfies Record<string, keyof WrittenRules>

export type SettingKey = keyof typeof RULE_OF
export const SETTING_KEYS = Object.keys(RULE_OF) as readonly SettingKey[]
export const isSettingKey = (name: string): name is SettingKey => Object.hasOwn(RULE_OF, name)

/** The keys that are set; a key that is not set is taken from each node's config.yaml. */
export type BoardSettings = Readonly<Partial<Record<SettingKey, unknown>>>

export const writtenValue = (rules: WrittenRules, key: SettingKey): unknown => rules[RULE_OF[key]]

/** The rules with what is set on the board in place of what config.yaml says. */
export function withSettings<R extends WrittenRules>(written: R, settings: BoardSettings): R {
  const set = SETTING_KEYS.filter((key) => settings[key] !== undefined)
  return { ...written, ...Object.fromEntries(set.map((key) => [RULE_OF[key], settings[key]])) }
}

/**
 * A line for each key of config.yaml that says something else than the board.
 * @param defaults rules of an empty config.yaml: a key with its default value is taken for one that is not there
 */
export function ignoredSettings(
  written: WrittenRules,
  settings: BoardSettings,
  defaults: WrittenRules,
): readonly string[] {
  return SETTING_KEYS.flatMap((key) => {
    const [own, ofBoard] = [writtenValue(written, key), settings[key]]
    if (ofBoard === undefined || isSame(own, writtenValue(defaults, key)) || isSame(own, ofBoard)) return []
    return [
      `kanban.${key} in config.yaml is ${settingText(own)}, and is ignored: the board has ${settingText(ofBoard)} (hermes kanban settings ${key})`,
    ]
  })
}

/** `2` and `"2"` are the same, and so are maps with the same names. */
const isSame = (a: unknown, b: unknown): boolean => comparable(a) === comparable(b)
const comparable = (value: unknown): string =>
  typeof value === 'object' && value !== null ? JSON.stringify(Object.entries(value).sort()) : String(value)

/** A value as a person writes it. */
export const settingText = (value: unknown): string =>
  typeof value === 'string' && value !== '' ? value : (JSON.stringify(value ?? null) ?? 'null')
