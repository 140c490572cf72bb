import type { Tables } from './tables.ts'

/** Records an event, inside the transaction of the change that it reports. */
export function record(
  tables: Tables,
  taskId: string,
  kind: string,
  atMs: number,
  payload: Readonly<Record<string, unknown>> = {},
  runId: number | null = null,
): void {
  tables.run(
    'INSERT INTO events (task_id, run_id, kind, payload, at) VALUES (?, ?, ?, ?, ?)',
    taskId,
    runId,
    kind,
    JSON.stringify(payload),
    atMs,
  )
}
