/** Routines of a board in PostgreSQL. The table is made with the first one; older versions leave it alone. */
import { isTaken, type NewRoutine, type Routine, type RoutineChange, type Row, routineOf } from './row.ts'

type Value = string | number | null
interface Client {
  query(
    sql: string,
    values?: readonly Value[],
  ): Promise<{ readonly rows: readonly unknown[]; readonly rowCount: number | null }>
}

const NOW = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint'

export async function hasRoutines(client: Client, s: string): Promise<boolean> {
  const { rows } = await client.query('SELECT to_regclass($1) IS NOT NULL AS there', [`${s}.routines`])
  return (rows[0] as { there: boolean }).there
}

export async function readRoutines(client: Client, s: string): Promise<readonly Routine[]> {
  if (!(await hasRoutines(client, s))) return []
  const { rows } = await client.query(`SELECT * FROM ${s}.routines ORDER BY name`)
  return (rows as Row[]).map(routineOf)
}

/** Makes the table if the board does not have it. In a transaction. */
export async function makeRoutines(client: Client, s: string): Promise<void> {
  if (await hasRoutines(client, s)) return
  // IF NOT EXISTS alone does not keep two processes apart.
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`hermes.routines.${s}`])
  await client.query(`CREATE TABLE IF NOT EXISTS ${s}.routines (
    name text COLLATE "C" PRIMARY KEY, cron text NOT NULL, tz text NOT NULL, catch_up text NOT NULL,
    task text NOT NULL, paused integer NOT NULL DEFAULT 0, created_by text NOT NULL, created_at bigint NOT NULL,
    settled_until bigint NOT NULL)`)
}

/** @throws HermesError REFUSED: there is one of this name */
export async function addRoutine(client: Client, s: string, routine: NewRoutine, by: string): Promise<void> {
  const { name, cron, tz, catchUp, task } = routine
  await makeRoutines(client, s)
  const { rowCount } = await client.query(
    `INSERT INTO ${s}.routines (name, cron, tz, catch_up, task, created_by, created_at, settled_until)
     VALUES ($1, $2, $3, $4, $5, $6, ${NOW}, ${NOW}) ON CONFLICT (name) DO NOTHING`,
    [name, cron, tz, catchUp, JSON.stringify(task), by],
  )
  if (rowCount === 0) throw isTaken(name)
}

export async function changeRoutine(client: Client, s: string, name: string, change: RoutineChange): Promise<boolean> {
  if (!(await hasRoutines(client, s))) return false
  const until = change.isPaused === false ? NOW : '0'
  const { rowCount } = await client.query(
    `UPDATE ${s}.routines SET paused = coalesce($2::integer, paused),
       settled_until = greatest(settled_until, coalesce($3::bigint, ${until})) WHERE name = $1`,
    [name, change.isPaused === undefined ? null : Number(change.isPaused), change.settledUntilMs ?? null],
  )
  return rowCount === 1
}

export async function removeRoutine(client: Client, s: string, name: string): Promise<boolean> {
  if (!(await hasRoutines(client, s))) return false
  const { rowCount } = await client.query(`DELETE FROM ${s}.routines WHERE name = $1`, [name])
  return rowCount === 1
}
