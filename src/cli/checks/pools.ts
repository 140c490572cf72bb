/** Whether the pool that a profile names exists. */
import { join } from 'node:path'
import { isInDatabase } from '../../kanban/store/boards.ts'
import { type ConfigProblem, loadConfig, MAX_CONFIG_BYTES } from '../../profile/config/config.ts'
import { readRegularFile } from '../../system/files/small-file.ts'
import type { Context } from '../context/context.ts'

/**
 * A pool in a config.yaml that kanban.pools does not have. Boards in a database may have pools of their own, so there
 * the dispatcher says it (`hermes logs dispatcher`).
 */
export async function unknownPool(context: Context, file: string): Promise<ConfigProblem | undefined> {
  const { pool } = loadConfig(file).config.agent
  if (pool === null || isInDatabase({ env: context.env, runDir: context.paths.runDir })) return undefined
  const pools = Object.keys(loadConfig(join(context.home, 'config.yaml')).config.kanban.pools)
  if (pools.includes(pool)) return undefined
  const { lineOfKey } = await import('../../profile/config/reader.ts')
  const line = lineOfKey(readRegularFile(file, MAX_CONFIG_BYTES) ?? '', 'agent.pool')
  return {
    file,
    ...(line !== undefined && { line }),
    key: 'agent.pool',
    message: `expected a pool of kanban.pools (${pools.join(', ') || 'there are none'}), got "${pool}", so nothing limits it`,
    value: pool,
  }
}
