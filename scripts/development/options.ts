import { createServer } from 'node:net'
import { parseArgs } from 'node:util'
import { type Inspect, LOOPBACK } from './source-tree.ts'

export const USAGE = 'usage: npm run dev -- [--port N] [--inspect init|supervisor[:PORT]]'
const DEFAULT_PORT = '9119'
/** Node's own. */
const INSPECTOR_PORT = '9229'

export interface DevOptions {
  /** Of the dashboard. */
  readonly port: number
  readonly inspect: Inspect | undefined
}

/** @returns what is wrong, in one line, when these are not arguments of `npm run dev` */
export function devOptions(args: readonly string[]): DevOptions | string {
  try {
    const options = { port: { type: 'string' }, inspect: { type: 'string' } } as const
    const { values } = parseArgs({ args: [...args], options })
    return {
      port: portOf('--port', values.port ?? DEFAULT_PORT),
      inspect: values.inspect === undefined ? undefined : inspectOf(values.inspect),
    }
  } catch (error) {
    // Node adds advice about arguments that begin with a dash, which does not apply here.
    return `${(error as Error).message.split('. ')[0]}; ${USAGE}`
  }
}

function inspectOf(text: string): Inspect {
  const [program = '', port = INSPECTOR_PORT] = text.split(':')
  if (program !== 'init' && program !== 'supervisor')
    throw new Error(`--inspect: "${program}" is not init or supervisor`)
  return { program, port: portOf('--inspect', port) }
}

function portOf(option: string, text: string): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Error(`${option}: "${text}" is not a port between 1 and 65535`)
  return port
}

/** The first of these ports of the loopback address that another program listens on. */
export async function firstTaken(ports: readonly number[]): Promise<number | undefined> {
  for (const port of ports) if (!(await isFree(port))) return port
  return undefined
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, LOOPBACK, () => server.close(() => resolve(true)))
  })
}
