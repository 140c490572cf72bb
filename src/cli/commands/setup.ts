import { join } from 'node:path'
import { changeAlone } from '../../profile/change-file.ts'
import { MAX_CONFIG_BYTES } from '../../profile/config/config.ts'
import { CONFIG_MODE, configText } from '../../profile/directory/templates.ts'
import { storeKey } from '../../profile/environment/auth-file.ts'
import { replaceFile } from '../../profile/replace-file.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { readRegularFile } from '../../system/files/small-file.ts'
import { isImageInstall } from '../../system/programs/install.ts'
import { type Command, type Input, textOption } from '../context/command.ts'
import { type Context, ownProfile } from '../context/context.ts'
import type { Outcome } from '../terminal/output.ts'
import { openPrompter, type Prompter } from '../terminal/terminal.ts'
import { parseKey, parseKeyName } from './login.ts'

const DEFAULTS = { baseUrl: 'https://api.openai.com/v1', keyName: 'OPENAI_API_KEY' }

export const SETUP_COMMANDS: readonly Command[] = [
  {
    path: 'setup',
    writes: true,
    summary: "Choose the agent's model, and store its API key",
    options: [
      {
        long: '--base-url',
        value: 'URL',
        help: `URL of an OpenAI-compatible endpoint; OpenAI's is ${DEFAULTS.baseUrl}`,
      },
      { long: '--model', value: 'NAME', help: 'name of the model' },
      { long: '--key-name', value: 'VARIABLE', help: 'name of the key; default: OPENAI_API_KEY' },
      { long: '--no-key', help: 'store no key: the endpoint needs no key, or the key is set elsewhere' },
    ],
    details:
      'On a terminal, setup asks for each value that no option gives: endpoint, model, name of the key, key. An\n' +
      'empty answer takes the value in brackets. Without a terminal, standard input is the key, one line:\n' +
      'echo "$KEY" | hermes setup --model NAME\n' +
      'The key is stored in auth.json, as with login. The other values go to config.yaml, keeping its comments.',
    exits: { [EXIT.noSuch]: 'no such profile' },
    run: setup,
  },
]

async function setup(context: Context, input: Input): Promise<Outcome> {
  const { name: profile, dir } = ownProfile(context)
  const file = join(dir, 'config.yaml')
  const prompter = openPrompter(context.output.err)
  try {
    const { interactive } = prompter
    const answers = interactive ? await asked(prompter, input) : await given(context, prompter, input)
    const { model } = answers
    const baseUrl = parseUrl(answers.baseUrl, interactive || textOption(input, 'base-url') !== undefined)
    const keyName = parseKeyName(answers.keyName)
    const key = answers.key === undefined || answers.key === '' ? undefined : parseKey(answers.key)
    const { setConfigValue } = await import('../../profile/config/edit/edit.ts')
    const endpoint = JSON.stringify({ base_url: baseUrl, model, api_key_env: keyName })
    await changeAlone(file, { clock: context.clock, mode: CONFIG_MODE }, async () => {
      const text = readRegularFile(file, MAX_CONFIG_BYTES) || configText(profile === 'default')
      // Checked before anything is written.
      const edited = setConfigValue(text, 'agent.openai', endpoint)
      if (key !== undefined) await storeKey(dir, keyName, key, context.clock)
      await replaceFile(file, edited, CONFIG_MODE)
    })
    return {
      text: [
        `${file}: agent.openai is ${model} at ${baseUrl}\n`,
        key === undefined ? '' : `${join(dir, 'auth.json')}: ${keyName} is stored\n`,
        `  next: hermes -p ${profile} chat -q Hello; hermes -p ${profile} gateway restart\n`,
      ].join(''),
      json: { file, base_url: baseUrl, model, api_key_env: keyName, key_stored: key !== undefined },
    }
  } finally {
    prompter.close()
  }
}

interface Answers {
  readonly baseUrl: string
  readonly model: string
  readonly keyName: string
  /** Absent or empty: there is none. */
  readonly key: string | undefined
}

/** On a terminal: an option, else an answer, else the default. @throws HermesError USAGE when there is none of them */
async function asked(prompter: Prompter, input: Input): Promise<Answers> {
  const answer = async (option: string, question: string, fallback: string | undefined): Promise<string> => {
    const chosen = textOption(input, option)
    if (chosen !== undefined) return chosen
    const typed = await prompter.ask(`${question}${fallback === undefined ? '' : ` [${fallback}]`}: `)
    const value = typed || fallback
    if (value !== undefined) return value
    throw new HermesError('USAGE', `no ${question.toLowerCase()} given; nothing was saved`, {
      next: `answer the question, or add --${option}`,
    })
  }
  return {
    baseUrl: await answer('base-url', 'Endpoint', DEFAULTS.baseUrl),
    model: await answer('model', 'Model', undefined),
    keyName: await answer('key-name', 'Name of the key', DEFAULTS.keyName),
    key: input.options['no-key'] === true ? undefined : await prompter.secret('Key (not shown; empty: none): '),
  }
}

/**
 * Reads standard input without a terminal. If an option names the endpoint, the only line is the key: a key must never
 * become a setting.
 * Without any option the lines are endpoint, model, perhaps the name of the key, and the key.
 */
async function given(context: Context, prompter: Prompter, input: Input): Promise<Answers> {
  const [baseUrl, model] = [textOption(input, 'base-url'), textOption(input, 'model')]
  const lines = input.options['no-key'] === true && model !== undefined ? [] : await prompter.rest()
  const isAnswered = baseUrl !== undefined || model !== undefined
  const [firstLine, secondLine] = isAnswered ? [] : lines.splice(0, 2)
  const foundModel = model ?? secondLine
  if (!foundModel) {
    const inTerminal = isImageInstall(context.install) ? 'docker exec -it NAME hermes setup' : 'hermes setup'
    throw new HermesError('USAGE', 'no model given; nothing was saved', {
      next: `Add --model NAME, or run it in a terminal: ${inTerminal}`,
    })
  }
  const keyName = textOption(input, 'key-name')
  const [name, key] = keyName === undefined && lines.length > 1 ? lines : [keyName, lines[0]]
  return {
    baseUrl: baseUrl ?? (firstLine || DEFAULTS.baseUrl),
    model: foundModel,
    keyName: name || DEFAULTS.keyName,
    key: input.options['no-key'] === true ? undefined : key,
  }
}

/** @param isQuoted false: what is wrong with it may be that it is the key */
function parseUrl(text: string, isQuoted: boolean): string {
  if (URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol)) return text
  const what = isQuoted ? JSON.stringify(text.slice(0, 200)) : 'the first line of standard input'
  throw new HermesError('USAGE', `${what} is not an http or https URL; nothing was saved`, {
    next: 'add --base-url, for example https://api.openai.com/v1 or http://localhost:11434/v1',
  })
}
