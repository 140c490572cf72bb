/** Requests to /mcp: those of the API, as tools for programs that have a token. */
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import type { Rights } from '../../access/scope.ts'
import type { AnyAnswer } from '../contract/handler.ts'
import { ROUTES } from '../contract/routes.ts'
import { type Caller, MCP_PATH } from '../gate/guard.ts'
import { RefusedRequest } from '../gate/refusals.ts'
import type { RequestFacts } from '../gate/request-facts.ts'
import { checkScope } from '../gate/rights.ts'
import { partsOf, TOOLS, type Tool, type ToolParts } from './tools.ts'

export interface McpCall {
  readonly facts: RequestFacts
  readonly caller: Caller
  readonly rights: Rights | undefined
  readonly version: string
  /** Answers as the route does, or throws as it does. */
  readonly perform: (tool: Tool, parts: ToolParts) => Promise<AnyAnswer>
  /** @returns the refusal that an error is */
  readonly refusalOf: (error: unknown) => RefusedRequest
}

/** @throws Refused 401 for a caller without an API token: what a browser sends by itself must not be enough */
export function checkMcpCaller({ kind }: Caller): void {
  if (kind === 'token') return
  throw new RefusedRequest(
    401,
    {
      error: 'unauthenticated',
      detail: 'this needs an API token as bearer',
      next: 'hermes token create NAME --scope read',
    },
    { headers: { 'WWW-Authenticate': 'Bearer' } },
  )
}

/** @param body a message of the protocol, or several */
export async function answerMcp(
  body: unknown,
  { facts, caller, rights, version, perform, refusalOf }: McpCall,
): Promise<Response> {
  // One copy of the protocol's library, and none for those who do not use it.
  const { answerMessage } = await import('./protocol.ts')
  const { accept, 'content-type': type, 'mcp-protocol-version': protocol } = facts.headers
  const headers = Object.entries({ accept, 'content-type': type, 'mcp-protocol-version': protocol }).flatMap(
    ([name, value]) => (typeof value === 'string' ? [[name, value] as [string, string]] : []),
  )
  const request = new Request(new URL(MCP_PATH, facts.origin), { method: 'POST', headers })
  return answerMessage(request, body, {
    version,
    tools: TOOLS.filter(({ route }) => isAllowed(() => checkScope(ROUTES[route], caller, rights))),
    async call(tool, args) {
      try {
        return resultOf(await perform(tool, partsOf(tool, args)))
      } catch (error) {
        const { body: refused } = refusalOf(error)
        return { ...resultOf({ status: 400, body: refused }), isError: true }
      }
    },
  })
}

function isAllowed(check: () => void): boolean {
  try {
    check()
    return true
  } catch (error) {
    if (error instanceof RefusedRequest) return false
    throw error
  }
}

function resultOf(answer: AnyAnswer): CallToolResult {
  const body = 'body' in answer && answer.body !== undefined ? answer.body : { done: true }
  return {
    content: [{ type: 'text', text: JSON.stringify(body) }],
    structuredContent: body as Record<string, unknown>,
  }
}
