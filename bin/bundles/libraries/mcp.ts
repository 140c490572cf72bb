// The Model Context Protocol: loaded by the dashboard with the first request for it.
export { answerMessage } from '../../../src/dashboard/mcp/protocol.ts'
