/** `hermes token …`: API tokens of the dashboard. */
import { tokenFile } from '../../../access/place.ts'
import { isScope, SCOPES, type Scope } from '../../../access/scope.ts'
import { isExpired, makeToken, type Token } from '../../../access/token.ts'
import { isTokenName } from '../../../access/token-list.ts'
import { changeTokens, readTokens } from '../../../access/token-store.ts'
import { parseDurationMs } from '../../../profile/config/kinds/kinds.ts'
import { requireProfile } from '../../../profile/directory/disk.ts'
import { EXIT, HermesError } from '../../../system/errors.ts'
import { type Command, type Input, textOption } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { table } from '../../view/slots-view.ts'

export const TOKEN_COMMANDS: readonly Command[] = [
  {
    path: 'token create',
    summary: 'Create an API token for the dashboard, and print it once',
    arguments: [{ name: 'NAME', help: 'name of the token, which boards and logs show', kind: 'required' }],
    options: [
      {
        long: '--scope',
        value: 'SCOPE',
        completes: SCOPES,
        help: `what it may do: ${SCOPES.join(', ')}; each includes the ones before it`,
      },
      {
        long: '--expires',
        value: 'DURATION',
        help: 'how long it counts, such as 12h or 30d; default: until it is revoked',
      },
    ],
    details:
      'read sees profiles, logs and boards; board also changes tasks; operate also starts, stops and restarts gateways\n' +
      'and services; admin also writes settings, creates and deletes profiles, and may use the terminal.\n' +
      'With -p, once or more often, the token sees these profiles and no other:\n' +
      'hermes token create ci --scope operate -p coder -p writer\n' +
      'Only the token is on standard output. It is stored nowhere, only its SHA-256.\n' +
      'In a container, call it as root, as docker exec does by itself.',
    exits: { [EXIT.noSuch]: 'no such profile' },
    run: create,
  },
  {
    path: 'token list',
    summary: 'List the API tokens, without the tokens themselves',
    run: list,
  },
  {
    path: 'token revoke',
    summary: 'Revoke an API token: its next request is refused, and its streams end',
    arguments: [{ name: 'TOKEN', help: 'its name or its id', kind: 'required' }],
    exits: { [EXIT.noSuch]: 'no such token' },
    run: revoke,
  },
]

async function create(context: Context, input: Input): Promise<Outcome> {
  const name = parseName(input.args[0] ?? '')
  const scope = parseScope(textOption(input, 'scope'))
  const expiresInMs = parseExpiry(textOption(input, 'expires'))
  const wanted = [...new Set(context.requestedProfiles)].map((one) => requireProfile(context.home, one).name)
  const profiles = wanted.length === 0 ? null : wanted
  const wallMs = context.clock.wallMs()
  const { token, text } = await changeTokens(tokenFile(context), context.clock, (tokens) => {
    // One that has expired makes room for its successor.
    const others = tokens.filter((one) => one.name !== name || !isExpired(one, wallMs))
    if (others.some((one) => one.name === name))
      throw new HermesError('EXISTS', `there is a token "${name}" already`, {
        next: `choose another name, or end it first: hermes token revoke ${name}`,
      })
    const result = makeToken({ name, scope, profiles, expiresInMs }, new Set(others.map(({ id }) => id)), wallMs)
    return { tokens: [...others, result.token], result }
  })
  const { id, expires_at } = token
  if (!context.json)
    context.output.err(
      `created token "${name}" (${id}): scope ${scope}, ${profiles?.join(', ') ?? 'all profiles'}, ` +
        `${expires_at === null ? 'does not expire' : `until ${expires_at}`}; it is not shown again\n`,
    )
  return { text: `${text}\n`, json: { id, name, token: text, scope, profiles, expires_at } }
}

function list(context: Context): Outcome {
  const wallMs = context.clock.wallMs()
  const tokens = readTokens(tokenFile(context)).map(({ hash: _, ...token }) => ({
    ...token,
    expired: isExpired(token, wallMs),
  }))
  const rows = tokens.map(({ id, name, scope, profiles, created_at, expires_at, expired }) => [
    id,
    name,
    scope,
    profiles?.join(' ') ?? 'all',
    created_at,
    expired ? 'expired' : (expires_at ?? 'never'),
  ])
  const header = ['ID', 'NAME', 'SCOPE', 'PROFILES', 'CREATED', 'EXPIRES']
  const next = 'there are no tokens; "hermes token create --help" tells how to make one\n'
  return { text: rows.length === 0 ? next : table([header, ...rows]), json: tokens }
}

async function revoke(context: Context, input: Input): Promise<Outcome> {
  const [given = ''] = input.args
  const { id, name } = await changeTokens(tokenFile(context), context.clock, (tokens) => {
    const result = byNameOrId(tokens, given)
    return { tokens: tokens.filter((token) => token !== result), result }
  })
  return { text: `revoked token "${name}" (${id})\n`, json: { id, name, revoked: true } }
}

function byNameOrId(tokens: readonly Token[], given: string): Token {
  const found = tokens.find(({ name }) => name === given) ?? tokens.find(({ id }) => id === given)
  if (found !== undefined) return found
  // Not quoted: it may be the token itself, which must not get into logs.
  throw new HermesError('REFUSED', 'there is no token with this name or id; nothing was revoked', {
    next: 'hermes token list',
    exitCode: EXIT.noSuch,
  })
}

function parseName(text: string): string {
  if (isTokenName(text)) return text
  throw new HermesError('USAGE', 'invalid name of a token', {
    next: 'use 1 to 64 letters, digits, ".", "_" and "-", starting with a letter or digit',
  })
}

function parseScope(text: string | undefined): Scope {
  if (isScope(text)) return text
  throw new HermesError(
    'USAGE',
    text === undefined ? 'a token needs a scope' : `unknown scope ${JSON.stringify(text)}`,
    {
      next: `--scope ${SCOPES.join('|')}`,
    },
  )
}

/** With a unit: 30 alone would be seconds. */
function parseExpiry(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = /[smhd]$/.test(text) ? parseDurationMs(text) : undefined
  if (ms !== undefined && ms > 0) return ms
  throw new HermesError('USAGE', `--expires: expected a duration up to 366d, got ${JSON.stringify(text)}`, {
    next: 'use a number with s, m, h or d, such as 30d',
  })
}
