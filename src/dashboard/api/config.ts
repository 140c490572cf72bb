import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { NOTHING, sees } from '../../access/scope.ts'
import { readSessionOverviews } from '../../gateway/sessions/reading.ts'
import { changeAlone } from '../../profile/change-file.ts'
import { configProblemText, loadConfig, MAX_CONFIG_BYTES, parseConfig } from '../../profile/config/config.ts'
import { CONFIG_KEYS, configKeys } from '../../profile/config/keys.ts'
import { listProfiles, requireProfile } from '../../profile/directory/disk.ts'
import { CONFIG_MODE } from '../../profile/directory/templates.ts'
import { replaceFile } from '../../profile/replace-file.ts'
import { readRegularFile } from '../../system/files/small-file.ts'
import type { Handlers } from '../contract/handler.ts'
import { badRequest, conflict } from '../gate/refusals.ts'
import type { ApiFacts } from './facts.ts'

/** Sessions listed per profile. */
const MAX_SESSIONS = 100

export function configHandlers({
  home,
  clock,
}: ApiFacts): Pick<
  Handlers,
  | 'config'
  | 'validateConfig'
  | 'writeConfig'
  | 'configDefaults'
  | 'configSchema'
  | 'model'
  | 'themes'
  | 'plugins'
  | 'sessions'
> {
  const fileOf = (profile: string): string => join(requireProfile(home, profile).dir, 'config.yaml')
  return {
    config: ({ query }) => {
      const file = fileOf(query.profile)
      const text = textOf(file)
      return { status: 200, body: { text, problems: problemsOf(text, file), version: versionOf(text) } }
    },
    validateConfig: ({ body }) => ({ status: 200, body: { problems: problemsOf(body.text, 'config.yaml') } }),
    writeConfig: ({ body }) => {
      const file = fileOf(body.profile)
      return changeAlone(file, { clock, mode: CONFIG_MODE }, async () => {
        const before = versionOf(textOf(file))
        if (before !== body.version)
          throw conflict(`${file} has changed since it was read`, 'reload it, and repeat the change')
        const problems = problemsOf(body.text, file)
        // A file with a mistake would silently bring defaults into effect at the next start.
        if (problems.length > 0) return { status: 200, body: { problems, version: before } }
        await replaceFile(file, body.text, CONFIG_MODE)
        return { status: 200, body: { problems, version: versionOf(body.text) } }
      })
    },
    configDefaults: () => ({ status: 200, body: defaults() }),
    configSchema: async () => {
      const { configJsonSchema } = await import('../../profile/config/schema.ts')
      return { status: 200, body: configJsonSchema() as Record<string, unknown> }
    },
    model: () => {
      const { openai } = loadConfig(join(home, 'config.yaml')).config.agent
      return { status: 200, body: openai === null ? {} : { model: openai.model } }
    },
    themes: () => ({ status: 200, body: ['light', 'dark'] }),
    plugins: () => ({ status: 200, body: [] }),
    sessions: ({ query, rights = NOTHING }) => {
      const profiles =
        query.profile === undefined
          ? listProfiles(home).profiles.filter(({ name }) => sees(rights, name))
          : [requireProfile(home, query.profile)]
      const sessions = profiles.flatMap(({ name, dir }) =>
        readSessionOverviews(dir, MAX_SESSIONS).map(({ updatedAt, ...rest }) => ({
          profile: name,
          ...rest,
          updated_at: updatedAt,
        })),
      )
      sessions.sort((a, b) => (a.updated_at < b.updated_at ? 1 : -1))
      return { status: 200, body: { sessions } }
    },
  }
}

/** @throws Refused for a file that cannot be read */
function textOf(file: string): string {
  try {
    return readRegularFile(file, MAX_CONFIG_BYTES) ?? ''
  } catch (error) {
    throw badRequest(`${file} cannot be read: ${(error as Error).message}`)
  }
}

const problemsOf = (text: string, file: string): string[] => parseConfig(text, file).problems.map(configProblemText)

const versionOf = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 16)

/** As written in the file: sections, and durations with their units. */
function defaults(): Record<string, unknown> {
  const root: Record<string, unknown> = {}
  for (const key of configKeys()) {
    const path = key.split('.')
    let section = root
    for (const part of path.slice(0, -1)) {
      section[part] ??= {}
      section = section[part] as Record<string, unknown>
    }
    const { kind, value, written } = CONFIG_KEYS[key]
    section[path.at(-1) ?? key] = kind.converted && value !== null ? written : value
  }
  return root
}
