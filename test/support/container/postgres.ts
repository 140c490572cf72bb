import { run } from '../../../scripts/run.ts'
import { type PostgresServer, startPostgres } from '../kanban/postgres.ts'
import { freePort } from '../port.ts'

/**
 * A server that containers reach at the engine's own address, with this password. The address is that of the bridge
 * itself: `docker network inspect bridge` has it no more after the engine has left a swarm, and
 * node:os leaves a bridge out while no container is on it.
 */
export async function startHostPostgres(password: string): Promise<PostgresServer> {
  const { stdout } = await run('ip', ['-4', '-json', 'address', 'show', 'dev', 'docker0'])
  const [bridge] = JSON.parse(stdout) as { readonly addr_info: readonly { readonly local: string }[] }[]
  const host = bridge?.addr_info[0]?.local
  if (host === undefined) throw new Error(`docker0 has no address: ${stdout}`)
  return startPostgres({ tcp: { host, port: await freePort(), password } })
}
