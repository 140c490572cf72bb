// Ports for programs of the tests. Asking the kernel for any free one and giving it back is a race: until the program
// listens, any outgoing connection of the machine may be given the same. So these lie below the range the kernel gives
// away, a share of it for each worker of vitest.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

const lowest = 10_000

/** Those this process has asked for: until its program listens, one that was given looks free. */
const given = new Set<number>()

/** A port without a listener on any address, which the kernel does not assign by itself. */
export async function freePort(): Promise<number> {
  const [highest] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split('\t').map(Number)
  const share = Math.floor((Number(highest) - lowest) / 8)
  const first = lowest + (Number(process.env.VITEST_POOL_ID ?? 0) % 8) * share
  const from = Math.floor(Math.random() * share)
  for (let i = 0; i < share; i++) {
    const port = first + ((from + i) % share)
    if (given.has(port)) continue
    given.add(port)
    if (await isFree(port)) return port
  }
  throw new Error(`no free port in ${first}..${first + share - 1}`)
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen(port, '0.0.0.0', () => server.close(() => resolve(true)))
  })
