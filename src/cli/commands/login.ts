import { join } from 'node:path'
import { loadConfig } from '../../profile/config/config.ts'
import { authFile, storeKey } from '../../profile/environment/auth-file.ts'
import { readDotEnv } from '../../profile/environment/environment.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { warningLine } from '../../system/text/foreign-text.ts'
import { type Command, type Input, textOption } from '../context/command.ts'
import { type Context, ownProfile } from '../context/context.ts'
import type { Outcome } from '../terminal/output.ts'
import { openPrompter } from '../terminal/terminal.ts'

const DEFAULT_KEY_NAME = 'OPENAI_API_KEY'
const LONGEST_KEY = 8192

export const LOGIN_COMMANDS: readonly Command[] = [
  {
    path: 'login',
    writes: true,
    summary: "Store the agent's API key in the profile's auth.json, readable only by its owner",
    options: [
      {
        long: '--name',
        value: 'VARIABLE',
        help: 'name of the key; default: api_key_env of agent.openai, else OPENAI_API_KEY',
      },
      { long: '--remove', help: 'remove the stored key' },
    ],
    details:
      'The key is typed at a prompt that does not show it, or read from standard input:\n' +
      'echo "$KEY" | hermes login\n' +
      'It is never an argument, so it does not appear in process lists. A variable of the same name in the\n' +
      'environment or in .env takes precedence. The key takes effect immediately.',
    exits: { [EXIT.noSuch]: 'no such profile' },
    run: login,
  },
]

async function login(context: Context, input: Input): Promise<Outcome> {
  const { name: profile, dir } = ownProfile(context)
  const { openai } = loadConfig(join(dir, 'config.yaml')).config.agent
  const name = parseKeyName(textOption(input, 'name') ?? openai?.apiKeyEnv ?? DEFAULT_KEY_NAME)
  const file = authFile(dir)
  if (input.options.remove === true) {
    await storeKey(dir, name, null, context.clock)
    return { text: `${file}: ${name} is removed\n`, json: { file, name, stored: false } }
  }
  const prompter = openPrompter(context.output.err)
  try {
    const key = parseKey(await prompter.secret(`${name} for profile "${profile}" (not shown): `))
    await storeKey(dir, name, key, context.clock)
  } finally {
    prompter.close()
  }
  const hidden = readDotEnv(join(dir, '.env')).variables[name] !== undefined
  if (hidden) context.output.err(warningLine(`${join(dir, '.env')} also sets ${name} and takes precedence`))
  const next = openai === null ? `hermes -p ${profile} setup` : `hermes -p ${profile} chat -q Hello`
  return { text: `${file}: ${name} is stored\n  next: ${next}\n`, json: { file, name, stored: true } }
}

/** @throws HermesError USAGE; the message never quotes the text, which may be the key */
export function parseKeyName(text: string): string {
  if (/^[A-Z][A-Z0-9_]{0,127}$/.test(text)) return text
  throw new HermesError('USAGE', 'invalid name of a key; nothing was stored', {
    next: 'use capital letters, digits and _, as in OPENAI_API_KEY; the key itself is read from standard input',
  })
}

/** @throws HermesError USAGE; the message never quotes the key */
export function parseKey(text: string | undefined): string {
  if (text === undefined || text === '') {
    throw new HermesError('USAGE', 'no key given; nothing was stored', { next: 'echo "$KEY" | hermes login' })
  }
  if (text.length <= LONGEST_KEY && /^[\x21-\x7e]+$/.test(text)) return text
  throw new HermesError(
    'USAGE',
    'invalid key; nothing was stored: a key is printable ASCII characters without spaces',
    {
      next: 'check that only the key was pasted, then try again',
    },
  )
}
