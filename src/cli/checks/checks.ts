/** The checks of `hermes doctor`, in order. */

import type { Context } from '../context/context.ts'
import { board } from './board.ts'
import { type Check, type Finding, notChecked } from './finding.ts'
import { profiles, staleFiles, volume } from './home.ts'
import { clock, disk, identity, install } from './machine.ts'
import { ports, supervisor, zombies } from './running.ts'
import { walls } from './walls.ts'

export const CHECKS: Readonly<Record<string, Check>> = {
  install,
  identity,
  volume,
  profiles,
  walls,
  supervisor,
  ports,
  board,
  'stale files': staleFiles,
  zombies,
  clock,
  disk,
}

/** Runs all checks in order. A check that fails itself becomes a finding, and the others still run. */
export async function findAll(context: Context, checks = CHECKS): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const [name, check] of Object.entries(checks)) {
    try {
      findings.push(...(await check(context)))
    } catch (error) {
      findings.push(notChecked(name, error))
    }
  }
  return findings
}
