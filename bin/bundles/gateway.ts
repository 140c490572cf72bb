// `hermes gateway run`. A program of its own, so that a gateway does not hold the command line in memory.
import type { StartPart } from '../../src/gateway/built-in.ts'
import { type GatewayBundle, runGateway } from '../../src/gateway/program.ts'
import { truthy } from '../../src/system/markers.ts'

const apiServer: StartPart = async (facts, config, log) => {
  if (!truthy(facts.env.API_SERVER_ENABLED)) return undefined
  const { startApi } = require('#bundle/api.cjs') as typeof import('./api.ts')
  return startApi(facts, config, log)
}

export const gatewayProgram: GatewayBundle['gatewayProgram'] = (facts) => runGateway(facts, [apiServer])
