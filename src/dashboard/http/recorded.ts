/** Lines of the audit log about requests that may have changed something. */
import { type Change, DONE } from '../../access/audit-entry.ts'
import { HermesError } from '../../system/errors.ts'
import type { AnyAnswer, SignedIn } from '../contract/handler.ts'
import type { Recorded } from '../contract/routes.ts'
import { type Caller, MCP_PATH } from '../gate/guard.ts'
import { RefusedRequest } from '../gate/refusals.ts'
import type { RequestFacts } from '../gate/request-facts.ts'

export interface RecordedCall {
  readonly facts: Pick<RequestFacts, 'path'>
  readonly caller: Caller
  readonly viewer: SignedIn | undefined
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
}

/**
 * Carries out a request, and records it if its route says so.
 * @param recorded undefined and null: its route changes nothing
 * @throws what `perform` throws
 */
export async function recording(
  recorded: Recorded | undefined,
  record: (change: Change) => void,
  call: RecordedCall,
  perform: () => Promise<AnyAnswer>,
): Promise<AnyAnswer> {
  if (recorded === undefined || recorded === null) return perform()
  try {
    const answer = await perform()
    // The end of a stream is not known yet.
    const result = 'stream' in answer ? 'begun' : DONE
    record(changeOf(recorded, call, result, 'body' in answer ? answer.body : undefined))
    return answer
  } catch (error) {
    record(changeOf(recorded, call, codeOf(error), undefined))
    throw error
  }
}

/** The person or program that makes a change, and the way by which it comes. */
export function whoIs({
  facts,
  caller,
  viewer,
}: Pick<RecordedCall, 'facts' | 'caller' | 'viewer'>): Pick<Change, 'actor' | 'via'> {
  if (caller.kind === 'node') return { actor: 'node', via: 'api' }
  const program = facts.path === MCP_PATH ? 'mcp' : 'api'
  return { actor: viewer?.actor ?? 'dashboard', via: caller.kind === 'token' ? program : 'page' }
}

export function changeOf(
  { action, target }: NonNullable<Recorded>,
  { params, query, body, ...who }: RecordedCall,
  result: string,
  answer: unknown,
): Change {
  const parts = { path: params, query, body, answer }
  return {
    ...whoIs(who),
    action: filled(action, parts),
    target: (target !== null && filled(target, parts)) || null,
    result,
  }
}

/** Places whose value is missing are left empty: a task that was not created has no id. */
const filled = (text: string, parts: Readonly<Record<string, unknown>>): string =>
  text.replaceAll(/\{(\w+)\.(\w+)\}/g, (_, part: string, key: string) => {
    const value = (parts[part] as Readonly<Record<string, unknown>> | null | undefined)?.[key]
    return typeof value === 'string' || typeof value === 'boolean' ? String(value) : ''
  })

function codeOf(error: unknown): string {
  if (error instanceof HermesError) return error.code.toLowerCase()
  const { error: code } = (error instanceof RefusedRequest ? error.body : {}) as { readonly error?: unknown }
  return typeof code === 'string' ? code : 'failed'
}
