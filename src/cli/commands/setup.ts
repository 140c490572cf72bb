import { join } from 'node:path'
import { storeKey } from '../../gateway/agent/auth-file.ts'
import { MAX_CONFIG_BYTES } from '../../profile/config.ts'
import { replaceFile } from '../../profile/files.ts'
import { configText } from '../../profile/templates.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { readRegularFile } from '../../system/small-file.ts'
import { type Command, type Input, textOption } from '../command.ts'
import type { Context } from '../context.ts'
import type { Outcome } from '../output.ts'
import { type Asker, openAsker } from '../terminal.ts'
import { parseKey, parseKeyName } from './login.ts'

const DEFAULTS = { baseUrl: 'https://api.openai.com/v1', keyName: 'OPENAI_API_KEY' }

export const SETUP_COMMANDS: readonly Command[] = [
  {
    path: 'setup',
    writes: true,
    summary: 'first configuration: which model answers, and its key',
    options: [
      { long: '--base-url', value: 'URL', help: `OpenAI-compatible endpoint; ${DEFAULTS.baseUrl} is OpenAI's` },
      { long: '--model', value: 'NAME', help: 'model to ask for' },
      { long: '--key-name', value: 'VARIABLE', help: 'name of its key; OPENAI_API_KEY unless told' },
      { long: '--no-key', help: 'the endpoint wants none, or it is set elsewhere' },
    ],
    details:
      'What is not given as an option is asked for, in this order: endpoint, model, name of the key, key. An empty answer takes the value in brackets. Without a terminal the answers are the lines of standard input. The key goes to auth.json as with login, the rest to config.yaml, whose comments stay.',
    exits: { [EXIT.noSuch]: 'no such profile' },
    run: setup,
  },
]

async function setup(context: Context, input: Input): Promise<Outcome> {
  const { name: profile, dir } = context.profile()
  const file = join(dir, 'config.yaml')
  const asker = openAsker(context.output.err)
  try {
    const answer = answers(asker, input)
    const baseUrl = parseUrl(await answer('base-url', 'Endpoint', DEFAULTS.baseUrl))
    const model = await answer('model', 'Model', undefined)
    const keyName = parseKeyName(await answer('key-name', 'Name of the key', DEFAULTS.keyName))
    const key = input.options['no-key'] === true ? '' : await asker.secret('Key (not shown; empty: none): ')
    const given = key === undefined || key === '' ? undefined : parseKey(key)
    const { setConfigValue } = await import('../../profile/config-edit.ts')
    const text = readRegularFile(file, MAX_CONFIG_BYTES) ?? configText(profile === 'default')
    const endpoint = JSON.stringify({ base_url: baseUrl, model, api_key_env: keyName })
    // Checked before anything is written.
    const edited = setConfigValue(text, 'agent.openai', endpoint)
    if (given !== undefined) await storeKey(dir, keyName, given)
    await replaceFile(file, edited, 0o644)
    return {
      text: [
        `${file}: agent.openai is ${model} at ${baseUrl}\n`,
        given === undefined ? '' : `${join(dir, 'auth.json')}: ${keyName} is stored\n`,
        `  next: hermes -p ${profile} chat -q Hello; hermes -p ${profile} gateway restart\n`,
      ].join(''),
      json: { file, base_url: baseUrl, model, api_key_env: keyName, key_stored: given !== undefined },
    }
  } finally {
    asker.close()
  }
}

/** An option, else the next answer, else the default. @throws HermesError USAGE when there is none of them */
const answers =
  (asker: Asker, input: Input) =>
  async (option: string, question: string, fallback: string | undefined): Promise<string> => {
    const given = textOption(input, option)
    if (given !== undefined) return given
    const said = await asker.ask(`${question}${fallback === undefined ? '' : ` [${fallback}]`}: `)
    const value = said || fallback
    if (value !== undefined) return value
    throw new HermesError('USAGE', `${question} was not answered: nothing was written`, { next: `--${option} says it` })
  }

function parseUrl(text: string): string {
  if (URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol)) return text
  throw new HermesError(
    'USAGE',
    `${JSON.stringify(text.slice(0, 200))} is no http or https address: nothing was written`,
    {
      next: 'such as https://api.openai.com/v1, or http://localhost:11434/v1',
    },
  )
}
