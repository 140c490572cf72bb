// The API server, an agent, sessions: a gateway without an API server does not hold them in memory.
export { startApi } from '../../src/gateway/api/part.ts'
