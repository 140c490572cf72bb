/** The Model Context Protocol over streamable HTTP, one request at a time: nothing is kept between two of them. */
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import {
  CallToolRequestSchema,
  type CallToolResult,
  ListToolsRequestSchema,
  ErrorCode as McpCode,
  McpError,
} from '@modelcontextprotocol/sdk/types.js'
import type { Tool } from './tools.ts'

export interface McpFacts {
  readonly version: string
  /** Those that the caller may use. */
  readonly tools: readonly Tool[]
  /** Never rejects for what a caller can cause. */
  readonly call: (tool: Tool, args: Readonly<Record<string, unknown>>) => Promise<CallToolResult>
}

const INSTRUCTIONS =
  'Hermes runs profiles (agents) as supervised gateways, and hands tasks of a kanban board to them. Tools that change something need a token whose scope allows it.'

/**
 * @param request its headers; the body was read before
 * @param body JSON: a message or several
 */
export async function answerMessage(request: Request, body: unknown, facts: McpFacts): Promise<Response> {
  const { version, tools, call } = facts
  const server = new Server({ name: 'hermes', version }, { capabilities: { tools: {} }, instructions: INSTRUCTIONS })
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: tools.map(({ name, description, input, reads, destroys }) => ({
      name,
      description,
      inputSchema: { ...input, properties: { ...input.properties }, required: [...input.required] },
      annotations: { readOnlyHint: reads, destructiveHint: destroys, openWorldHint: false },
    })),
  }))
  server.setRequestHandler(CallToolRequestSchema, async ({ params: { name, arguments: args = {} } }) => {
    const tool = tools.find((one) => one.name === name)
    // The same answer for a tool that this caller may not use.
    if (tool === undefined) throw new McpError(McpCode.InvalidParams, `there is no tool "${name}" for this token`)
    return call(tool, args)
  })
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
  await server.connect(transport)
  try {
    return await transport.handleRequest(request, { parsedBody: body })
  } finally {
    await server.close()
  }
}
