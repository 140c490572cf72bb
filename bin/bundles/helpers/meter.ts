// `hermes meter`. A program of its own: it lives for days and needs no command parser.
import { type MeterBundle, runMeter } from '../../../src/meter/proxy/meter-program.ts'

export const meterProgram: MeterBundle['meterProgram'] = runMeter
