// `hermes front-port`. A program of its own: it lives for days and needs no command parser.
import { type FrontPortBundle, runFrontPort } from '../../../src/gateway/front/front-program.ts'

export const frontPortProgram: FrontPortBundle['frontPortProgram'] = runFrontPort
