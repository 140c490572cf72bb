import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FakeInstall } from '../../support/supervisor/fake-supervisor.ts'
import { prepareScript } from '../../support/supervisor/init-box.ts'
import { whyNoNamespace } from '../../support/supervisor/namespace.ts'
import { Terminal } from '../../support/terminal.ts'

const why = whyNoNamespace() ?? (process.getuid?.() === 0 ? undefined : 'needs root')

/** @param leads init leads the session that owns the terminal, as under runc; else a shell above it does */
async function screen({
  leads,
  args,
}: {
  leads: boolean
  args: readonly string[]
}): Promise<Terminal & { readonly install: FakeInstall }> {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-tty-'))
  chmodSync(dir, 0o755)
  const home = join(dir, 'home')
  for (const name of ['home', 'cont-init.d', 'cont-finish.d']) mkdirSync(join(dir, name))
  chownSync(home, 10_000, 10_000)
  const install = await FakeInstall.make()
  const init = ['/opt/hermes/bin/init', ...args].map((argument) => `'${argument.replaceAll("'", "'\\''")}'`).join(' ')
  const inside = [
    'mount -t tmpfs -o mode=755 tmpfs /run',
    prepareScript(dir, install.dir, home),
    leads ? `exec setsid -c ${init}` : `${init}; exit $?`,
  ]
  writeFileSync(join(dir, 'inside.sh'), inside.join('\n'))
  const command = `exec unshare --pid --fork --kill-child --mount --mount-proc sh -e ${dir}/inside.sh`
  const terminal = new Terminal(
    command,
    async () => {
      await install[Symbol.asyncDispose]()
      rmSync(dir, { recursive: true, force: true })
    },
    { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, HERMES_HOME: home, TERM: 'xterm' },
  )
  return Object.assign(terminal, { install })
}

describe.skipIf(why !== undefined)(`a terminal (${why ?? 'script(1), in a namespace'})`, () => {
  test.each([{ leads: true }, { leads: false }])(
    'bash as main program has job control, as hermes (init leads the session: $leads)',
    async ({ leads }) => {
      await using s = await screen({ leads, args: ['bash', '--norc'] })
      s.type('set -o | grep monitor; id -u; tty\n')
      await s.shows(/monitor\s+on/)
      await s.shows('10000')
      await s.shows('/dev/pts/')
      // Typed text is shown at once. Only the program can show that it has the terminal.
      s.type(`sh -c 'echo sta""rted; exec sleep 1000'\n`)
      await s.shows('started')
      s.type('\x1a') // Ctrl-Z
      await s.shows(/Stopped\s+sh -c/)
      s.type('echo out >/dev/stdout; echo "e""rr" >/dev/stderr\n')
      await s.shows(/\nerr/)
      s.type('kill -9 %1; exit 5\n')
      s.type('exit 5\n')
      expect(await s.exit()).toBe(5)
    },
  )

  test.each([{ leads: true }, { leads: false }])(
    'Ctrl-C reaches the main program and not init, supervisor or slots (init leads the session: $leads)',
    async ({ leads }) => {
      await using s = await screen({
        leads,
        args: ['sh', '-c', 'trap "echo got int" INT; echo rea""dy; until [ -e /run/go ]; do sleep 0.05; done; exit 4'],
      })
      const supervisor = await s.install.life(1)
      await supervisor.hello()
      await s.shows('ready')
      s.type('\x03')
      await s.shows('got int')
      s.type('\x1c') // Ctrl-\ ends main: it has no trap for QUIT
      const code = await s.exit()
      expect([131, 4]).toContain(code)
      expect(s.install.lives).toHaveLength(1)
    },
  )

  test('slots and supervisor have no terminal', async () => {
    await using s = await screen({
      leads: true,
      args: ['sh', '-c', 'echo rea""dy; ps -eo tty=,args= | sed -n "s/^/ps: /p"; sleep 1000'],
    })
    await s.shows('ready')
    const seen = await s.shows(/ps: .*sleep 1000/)
    expect(seen).toMatch(/ps: \?\s+.*supervisor\.cjs/)
    expect(seen).toMatch(/ps: \?\s+.*init\.cjs/) // it has given its own up
    expect(seen).toMatch(/ps: pts\/\d+\s+sh -c/)
  })

  test('without arguments a terminal gets hermes', async () => {
    await using s = await screen({ leads: true, args: [] })
    const supervisor = await s.install.life(1)
    await supervisor.hello()
    supervisor.send({ type: 'booted' })
    // The install of this test holds no command line, and the wrapper says so.
    await s.shows('the install is incomplete')
    expect(await s.exit()).toBe(127)
  })
})
