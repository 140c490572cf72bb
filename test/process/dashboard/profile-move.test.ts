// A profile moves between two nodes on one database, with faults at each step.
import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hermes as command, startProgram } from '../../support/cli.ts'
import { askHttp } from '../../support/dashboard/dashboard.ts'
import { program } from '../../support/install.ts'
import { type NodeOfTest, type TwoNodes, twoNodes } from '../../support/kanban/nodes.ts'
import { whyNoPostgres } from '../../support/kanban/postgres.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNoPostgres()

describe.skipIf(why !== undefined)(`hermes profile move (${why ?? 'two nodes on a server of our own'})`, () => {
  let nodes: TwoNodes
  let h1: NodeOfTest
  let h2: NodeOfTest
  beforeAll(async () => {
    nodes = await twoNodes()
    ;({ h1, h2 } = nodes)
  }, 300_000)
  afterAll(() => nodes[Symbol.asyncDispose]())

  const profiles = (node: NodeOfTest): string[] => readdirSync(join(node.hermes.home, 'profiles')).sort()
  const owner = (name: string): string =>
    nodes
      .sql(
        `SELECT n.name, p.moving FROM hermes.profiles p JOIN hermes.nodes n ON n.id = p.node WHERE p.name = '${name}'`,
      )
      .trim()
  const state = async (node: NodeOfTest, name: string) => (await node.hermes.slot(`gateway-${name}`))?.state
  const move = (node: NodeOfTest, ...args: string[]) =>
    command(['profile', 'move', ...args], { home: node.hermes.home, env: { HERMES_NODE_TOKEN: nodes.token } })
  /** A profile of h1 with files of every kind, whose gateway runs. */
  async function make(name: string): Promise<string> {
    const gateway = { command: ['sleep', '100000'], ready_after: '50ms' }
    const made = await h1.command('profile', 'create', name)
    expect(made.stderr).toBe('')
    const dir = join(h1.hermes.home, 'profiles', name)
    writeFileSync(join(dir, 'config.yaml'), JSON.stringify({ gateway }))
    mkdirSync(join(dir, 'memories', 'deep'), { recursive: true })
    writeFileSync(join(dir, 'memories', 'deep', 'one.md'), `what ${name} knows\n`)
    writeFileSync(join(dir, 'large.bin'), Buffer.alloc(20_000_000, name))
    symlinkSync('memories', join(dir, 'link'))
    const started = await h1.command('-p', name, 'gateway', 'start')
    expect(started.stderr).toBe('')
    await waitFor(`${name} on the board`, () => owner(name) === 'h1|f')
    return dir
  }
  const isAt = async (node: NodeOfTest, name: string): Promise<void> => {
    const other = node === h1 ? h2 : h1
    expect(profiles(node)).toContain(name)
    expect(profiles(other).filter((one) => one.includes(name))).toEqual([])
    await waitFor('its gateway to run', async () => (await state(node, name)) === 'up')
    expect(await state(other, name)).toBeUndefined()
    expect(owner(name)).toBe(`${node.name}|f`)
    const dir = join(node.hermes.home, 'profiles', name)
    expect(readFileSync(join(dir, 'link', 'deep', 'one.md'), 'utf8')).toBe(`what ${name} knows\n`)
    expect(readFileSync(join(dir, 'large.bin')).equals(Buffer.alloc(20_000_000, name))).toBe(true)
    expect(profiles(node).filter((one) => one.startsWith('.'))).toEqual([])
  }

  /** Other nodes reach a node through a relay while this runs. @param fault what happens to an answer, by its path */
  async function through(
    node: NodeOfTest,
    fault: (path: string, sent: string, bytes: number) => 'pass' | 'cut' | 'hold',
    use: () => Promise<void>,
  ): Promise<void> {
    const server = createServer((asked, answer) => {
      const forward = request(
        { host: '127.0.0.1', port: node.port, path: asked.url, method: asked.method, headers: asked.headers },
        (response) => {
          answer.writeHead(response.statusCode ?? 0, response.headers)
          let bytes = 0
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length
            const then = fault(asked.url ?? '', chunk.toString('latin1'), bytes)
            if (then === 'pass') answer.write(chunk)
            if (then === 'cut') answer.destroy()
            if (then === 'hold') response.pause()
          })
          response.on('end', () => answer.end())
          response.on('error', () => answer.destroy())
        },
      )
      forward.on('error', () => answer.destroy())
      answer.on('close', () => forward.destroy())
      asked.pipe(forward)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const set = (url: string) => nodes.sql(`UPDATE hermes.nodes SET api_url = '${url}' WHERE name = '${node.name}'`)
    set(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    try {
      await use()
    } finally {
      set(node.url)
      server.closeAllConnections()
      server.close()
    }
  }
  const isArchive = (path: string): boolean => path.endsWith('/archive')

  test('a running profile goes with everything in it, and runs there', async () => {
    await make('goes')
    const { code, stdout, stderr } = await move(h1, 'goes', '--to', 'h2')
    expect([code, stderr, stdout]).toEqual([0, '', 'moved goes to h2, gateway started there\n'])
    await isAt(h2, 'goes')
    expect((await h1.command('profile', 'show', 'goes')).code).toBe(3)
    // And back, by the other node's command.
    expect((await move(h2, 'goes', '--to', 'h1')).stdout).toBe('moved goes to h1, gateway started there\n')
    await isAt(h1, 'goes')
  })

  test('a stopped one stays stopped', async () => {
    await make('rests')
    await h1.command('-p', 'rests', 'gateway', 'stop')
    expect((await move(h1, 'rests', '--to', 'h2')).stdout).toBe('moved rests to h2\n')
    expect(await state(h2, 'rests')).toBe('down')
    expect(owner('rests')).toBe('h2|f')
  })

  test('nothing is stopped for a move that cannot be made', async () => {
    await make('stays')
    const pid = (await h1.hermes.slot('gateway-stays'))?.pid
    expect((await h2.command('profile', 'create', 'stays')).code).toBe(0)
    const refused = async (args: string[], says: RegExp, code = 1) => {
      const ran = await move(h1, ...args)
      expect([ran.code, ran.stderr]).toEqual([code, expect.stringMatching(says)])
    }
    await refused(['stays', '--to', 'h2'], /^hermes: profile "stays" already exists.*\n/)
    await refused(['stays', '--to', 'h3'], /no node "h3"\n.*h1, h2/)
    await refused(['stays', '--to', 'h1'], /node "h1" is this one/)
    await refused(['default', '--to', 'h2'], /the default profile cannot be moved/)
    await refused(['nosuch', '--to', 'h2'], /no profile "nosuch"/, 3)
    await refused(['stays'], /hermes profile move stays --to NODE/, 2)
    await refused(['stays', '--cancel'], /is not being moved from this node/)
    nodes.sql("UPDATE hermes.nodes SET api_url = 'http://127.0.0.1:1' WHERE name = 'h2'")
    await refused(
      ['stays', '--to', 'h2'],
      /node h2 at http:\/\/127.0.0.1:1 cannot be reached.*\n.*check that its container runs/,
    )
    nodes.sql(`UPDATE hermes.nodes SET api_url = '${h2.url}' WHERE name = 'h2'`)
    expect((await h1.hermes.slot('gateway-stays'))?.pid).toBe(pid)
    expect(owner('stays')).toBe('h1|f')
    await h2.command('profile', 'delete', 'stays', '--yes')
    await isAt(h1, 'stays')
  })

  test('a connection that breaks leaves the profile here, as it was', async () => {
    await make('breaks')
    await through(
      h1,
      (path, _, bytes) => (isArchive(path) && bytes > 10_000_000 ? 'cut' : 'pass'),
      async () => {
        const { code, stderr } = await move(h1, 'breaks', '--to', 'h2')
        expect([code, stderr]).toEqual([
          1,
          expect.stringMatching(/the archive of the profile cannot be read.*; "breaks" is still here, as it was\n/),
        ])
      },
    )
    await isAt(h1, 'breaks')
  })

  /** Starts a move that hangs in the middle of the archive, and kills the command there. */
  const killed = (name: string, use: () => Promise<void>): Promise<void> => {
    let held = false
    return through(
      h1,
      (path, _, bytes) => {
        if (!isArchive(path) || bytes < 10_000_000 || held) return 'pass'
        held = true
        return 'hold'
      },
      async () => {
        const options = { home: h1.hermes.home, env: { HERMES_NODE_TOKEN: nodes.token } }
        const child = startProgram([program('hermes'), 'profile', 'move', name, '--to', 'h2'], options)
        const ended = new Promise((resolve) => child.once('exit', resolve))
        await waitFor('half of the archive', () => held)
        expect(profiles(h2)).toContain(`.arriving-${name}`)
        child.kill('SIGKILL')
        await ended
        await use()
      },
    )
  }

  test('a command that is killed loses nothing: the profile is set aside, and the same command goes on', async () => {
    await make('killed')
    await killed('killed', async () => {
      expect(profiles(h1)).toContain('.moving-killed')
      expect(profiles(h1)).not.toContain('killed')
      expect(owner('killed')).toBe('h1|t')
      const why = await h1.command('why', 'killed')
      expect([why.code, why.stdout]).toEqual([
        1,
        expect.stringContaining('hermes profile move killed --to NODE goes on'),
      ])
    })
    expect((await move(h1, 'killed', '--to', 'h2')).stdout).toBe('moved killed to h2, gateway started there\n')
    await isAt(h2, 'killed')
  })

  test('or --cancel puts it back', async () => {
    await make('back')
    await killed('back', async () => {
      expect((await move(h1, 'back', '--cancel')).stdout).toBe('back stays on this node\n')
    })
    await isAt(h1, 'back')
  })

  test('an answer that is lost after the profile has gone over makes no second owner', async () => {
    await make('lost')
    await through(
      h2,
      (path, sent) => (path.endsWith('/take') && sent.includes('event: done') ? 'cut' : 'pass'),
      async () => {
        const { code, stderr } = await move(h1, 'lost', '--to', 'h2')
        expect([code, stderr]).toEqual([
          1,
          expect.stringMatching(/"lost" belongs to the other node already\n.*run the same command again/),
        ])
        expect(await state(h1, 'lost')).toBeUndefined()
        expect(owner('lost')).toBe('h2|f')
      },
    )
    expect((await move(h1, 'lost', '--to', 'h2')).stdout).toBe('moved lost to h2, gateway started there\n')
    await isAt(h2, 'lost')
  })

  test('a node that ends right after it has taken the profile over puts it in place with the same command', async () => {
    await make('late')
    await through(
      h2,
      (path, sent) => (path.endsWith('/take') && sent.includes('event: done') ? 'cut' : 'pass'),
      async () => expect((await move(h1, 'late', '--to', 'h2')).code).toBe(1),
    )
    // As it was on the disk and in the database a moment before.
    await h2.command('-p', 'late', 'gateway', 'stop')
    writeFileSync(join(h2.hermes.home, 'profiles', 'late', 'desired_state'), 'running\n')
    nodes.sql("UPDATE hermes.profiles SET moving = true WHERE name = 'late'")
    renameSync(join(h2.hermes.home, 'profiles', 'late'), join(h2.hermes.home, 'profiles', '.arriving-late'))
    await waitFor('its slot to go', async () => (await state(h2, 'late')) === undefined)
    expect((await move(h1, 'late', '--to', 'h2')).stdout).toBe('moved late to h2, gateway started there\n')
    await isAt(h2, 'late')
  })

  test('only a profile that is being moved is given to another node', async () => {
    const headers = { Authorization: `Bearer ${nodes.token}` }
    for (const name of ['coder', 'nosuch'])
      expect((await askHttp(h1.port, `/api/node/profiles/${name}/archive`, { headers })).code).toBe(404)
    for (const name of ['..%2f..', 'default', '.moving-coder'])
      expect((await askHttp(h1.port, `/api/node/profiles/${name}/archive`, { headers })).code).toBeGreaterThanOrEqual(
        400,
      )
  })

  test('without the node token it says how to give it', async () => {
    const { code, stderr } = await h1.command('profile', 'move', 'goes', '--to', 'h2')
    expect(code).toBe(1)
    expect(stderr).toMatch(/needs the node token[\s\S]*docker exec -e HERMES_NODE_TOKEN/)
  })
})
