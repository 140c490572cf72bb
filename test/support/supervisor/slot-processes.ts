import { readdirSync, readFileSync } from 'node:fs'

/**
 * Pids of what runs in a slot of the Hermes with this run directory: the environment tells, whatever a process calls
 * itself.
 */
export function processesOf(runDir: string, slot: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && belongs(pid, runDir, slot))
}

function belongs(pid: number, runDir: string, slot: string): boolean {
  try {
    const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
    return variables.includes(`HERMES_SLOT=${slot}`) && variables.includes(`HERMES_RUN_DIR=${runDir}`)
  } catch {
    return false // ended in the meantime, or a kernel thread
  }
}
