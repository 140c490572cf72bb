/** Two containers' worth of programs on one database: each with its own home, dispatcher and dashboard. */
import { hermes as command, type Ran } from '../cli.ts'
import { type Asking, askHttp, type DashboardAnswer, pageToken } from '../dashboard/dashboard.ts'
import { type RunningHermes, startHermes } from '../hermes.ts'
import { freePort } from '../port.ts'
import { waitFor } from '../wait.ts'
import { startPostgres } from './postgres.ts'

export interface NodeOfTest {
  readonly name: string
  /** Its named profile, whose gateway counts lines. */
  readonly profile: string
  readonly hermes: RunningHermes
  readonly port: number
  readonly url: string
  /** The token of its page. */
  token(): Promise<string>
  /** As the page asks where no log-in is needed. */
  asPage(path: string, asking?: Asking): Promise<DashboardAnswer>
  /** `hermes …` on it. */
  command(...args: readonly string[]): Promise<Ran>
}

export interface TwoNodes extends AsyncDisposable {
  readonly h1: NodeOfTest
  readonly h2: NodeOfTest
  /** The node token. */
  readonly token: string
  /** The address of the database. */
  readonly database: string
  sql(text: string): string
}

const TOKEN = 'of-all-nodes-0123456789'
const talks = {
  command: ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.05; done'],
  ready_after: '50ms',
}

/** @param env of both, for instance another install's page */
export async function twoNodes(options: { readonly install?: string } = {}): Promise<TwoNodes> {
  await using made = new AsyncDisposableStack()
  const server = made.use(await startPostgres())
  const start = async (name: string, profile: string): Promise<NodeOfTest> => {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const hermes = made.use(
      await startHermes({
        profiles: [{ name: profile, gateway: talks }],
        ...options,
        env: {
          HERMES_KANBAN_DATABASE: server.url,
          HERMES_NODE: name,
          HERMES_NODE_TOKEN: TOKEN,
          HERMES_NODE_URL: url,
          HERMES_DASHBOARD: '1',
          HERMES_DASHBOARD_HOST: '127.0.0.1',
          HERMES_DASHBOARD_PORT: String(port),
        },
      }),
    )
    await waitFor(`the dashboard of ${name}`, async () => (await hermes.slot('dashboard'))?.ready === true)
    await waitFor(`the dispatcher of ${name}`, async () => (await hermes.slot('dispatcher'))?.ready === true)
    let page: Promise<string> | undefined
    const token = () => (page ??= askHttp(port, '/login').then(({ body }) => pageToken(body)))
    return {
      name,
      profile,
      hermes,
      port,
      url,
      token,
      command: (...args) => command(args, { home: hermes.home }),
      async asPage(path, asking = {}) {
        const headers = { Origin: url, 'X-Hermes-Token': await token(), ...asking.headers }
        return askHttp(port, path, { ...asking, headers })
      },
    }
  }
  // One after the other: the first one has the profile "default" on the board.
  const h1 = await start('h1', 'coder')
  const sql = (text: string): string => server.psql(text)
  await waitFor('h1 on the board', () => registered(sql) >= 2)
  const h2 = await start('h2', 'writer')
  await waitFor('h2 on the board', () => registered(sql) === 4)
  const all = made.move()
  return { h1, h2, token: TOKEN, database: server.url, sql, [Symbol.asyncDispose]: () => all.disposeAsync() }
}

const registered = (sql: (text: string) => string): number =>
  sql("SELECT to_regclass('hermes.profiles')").trim() === '' ? 0 : Number(sql('SELECT count(*) FROM hermes.profiles'))
