import type { FrontPortBundle } from '../../../gateway/front/front-program.ts'
import type { Command } from '../../context/command.ts'
import { frontPortFacts } from '../../context/dispatcher-facts.ts'

export const FRONT_PORT_COMMAND: Command = {
  path: 'front-port',
  summary: 'Run the front port, which serves the APIs of all profiles (the front-port slot runs this command)',
  run: async (context) => {
    const { frontPortProgram } = require('#bundle/front-port.cjs') as FrontPortBundle
    return { exitCode: await frontPortProgram(frontPortFacts(context)) }
  },
}
