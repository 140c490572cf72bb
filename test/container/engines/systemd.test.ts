// `hermes systemd install` as docs/install.md has it, under a real systemd that is PID 1 of a container.
import { beforeAll, expect, test } from 'vitest'
import { baseImage, hasImage } from '../../support/container/base-image.ts'
import { type Box, startContainer } from '../../support/container/container.ts'
import { dockerBuildText } from '../../support/container/image.ts'
import { installDir } from '../../support/install.ts'
import { waitFor } from '../../support/wait.ts'

const IMAGE = 'hermes-test-systemd'
const BUSY_MS = 60_000

/** A machine with systemd and an ordinary user. */
const dockerfile = (base: string): string => `FROM ${base}
RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \\
      systemd systemd-sysv dbus dbus-user-session libpam-systemd && \\
    rm -rf /var/lib/apt/lists/* && useradd --create-home --shell /bin/bash alice && \\
    ln -s ../lib/node_modules/hermes-container/dist/bin/hermes /usr/local/bin/hermes
CMD ["/lib/systemd/systemd"]
STOPSIGNAL SIGRTMIN+3
`

beforeAll(async () => {
  if (!(await hasImage(IMAGE))) await dockerBuildText(IMAGE, dockerfile(await baseImage(() => undefined)))
}, 300_000)

const boot = async (): Promise<Box> => {
  const box = await startContainer({
    image: IMAGE,
    // systemd mounts, and makes cgroups of its own.
    capAdd: ['SYS_ADMIN'],
    securityOpt: ['seccomp=unconfined', 'apparmor=unconfined'],
    hostCgroups: true,
    tmpfs: { '/run': '', '/run/lock': '', '/tmp': 'exec' },
    mounts: [[installDir(), '/usr/local/lib/node_modules/hermes-container/dist', 'ro']],
  })
  await isBooted(box)
  return box
}
const isBooted = (box: Box): Promise<unknown> =>
  waitFor('systemd to have booted', async () => (await root(box, 'systemctl is-system-running')) === 'running', {
    deadlineMs: BUSY_MS,
  })

/** The output of a command, whatever its exit code. */
async function root(box: Box, command: string): Promise<string> {
  const { stdout, stderr } = await box.exec(['sh', '-c', command])
  return `${stdout}${stderr}`.trim()
}
async function alice(box: Box, command: string): Promise<string> {
  const bus = 'export XDG_RUNTIME_DIR=/run/user/$(id -u) DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$(id -u)/bus'
  const options = { user: 'alice', env: { HOME: '/home/alice', PATH: '/usr/local/bin:/usr/bin:/bin' } }
  const { stdout, stderr } = await box.exec(['sh', '-c', `${bus}; cd; ${command}`], options)
  return `${stdout}${stderr}`.trim()
}

interface Slot {
  readonly state: string
  readonly pid: number | null
}
const gateway = async (box: Box, pid?: number): Promise<number> => {
  const found = await waitFor(
    'the gateway to be up',
    async () => {
      const { slots } = JSON.parse(await alice(box, 'hermes status --json')) as { slots: (Slot & { slot: string })[] }
      const slot = slots.find((one) => one.slot === 'gateway-default')
      return slot?.state === 'up' && slot.pid !== pid && slot
    },
    { deadlineMs: BUSY_MS },
  )
  return found.pid ?? 0
}

test('a unit of the system: ready when booted, hardened, back after a crash, and down after hermes stop', {
  timeout: 600_000,
}, async () => {
  await using box = await boot()
  const shown = (property: string): Promise<string> => root(box, `systemctl show hermes --property ${property} --value`)
  expect(await root(box, 'hermes systemd install --system --as alice')).toBe(
    '/etc/systemd/system/hermes.service is written\nnext: systemctl daemon-reload\n      systemctl enable --now hermes',
  )
  expect(await alice(box, 'hermes systemd install --system --as alice')).toContain(
    'add this to the command: --print | sudo tee',
  )
  await alice(box, `hermes config set gateway.command '[sleep, "1000000"]'`)
  await root(box, 'systemctl daemon-reload && systemctl enable --now hermes')
  // Type=notify: the command above has waited for the boot.
  expect(await Promise.all(['ActiveState', 'StatusText', 'User'].map(shown))).toEqual([
    'active',
    'hermes status shows the gateways',
    'alice',
  ])
  const first = await gateway(box)
  expect(await root(box, `grep -E '^(NoNewPrivs|CapBnd):' /proc/${first}/status`)).toBe(
    'CapBnd:\t0000000000000000\nNoNewPrivs:\t1',
  )

  await root(box, 'kill -9 "$(systemctl show hermes --property MainPID --value)"')
  await waitFor('another start', async () => (await shown('NRestarts')) === '1', { deadlineMs: BUSY_MS })
  await gateway(box, first)

  expect(await alice(box, 'hermes stop')).toMatch(/^Hermes for \/home\/alice\/\.hermes \(pid \d+\) has stopped$/)
  await waitFor('the unit to be down', async () => (await shown('ActiveState')) === 'inactive')
  expect(await Promise.all(['Result', 'NRestarts'].map(shown))).toEqual(['success', '1'])
  await root(box, 'systemctl start hermes')
  await gateway(box)
  await root(box, 'systemctl stop hermes')
  expect(await Promise.all(['ActiveState', 'Result'].map(shown))).toEqual(['inactive', 'success'])
})

test('a unit of a user goes on without a session, and comes back with the machine', { timeout: 600_000 }, async () => {
  await using box = await boot()
  await root(box, 'loginctl enable-linger alice')
  const isActive = async (): Promise<boolean> => (await alice(box, 'systemctl --user is-active hermes')) === 'active'
  await waitFor(
    'the manager of the user',
    async () => /running/.test(await alice(box, 'systemctl --user is-system-running')),
    {
      deadlineMs: BUSY_MS,
    },
  )
  expect(await alice(box, 'hermes systemd install --user')).toContain(
    '/home/alice/.config/systemd/user/hermes.service is written',
  )
  await alice(box, `hermes config set gateway.command '[sleep, "1000000"]'`)
  await alice(box, 'systemctl --user daemon-reload && systemctl --user enable --now hermes')
  expect(await isActive()).toBe(true)
  const first = await gateway(box)
  await box.docker('restart')
  await isBooted(box)
  await waitFor('the unit after the boot', isActive, { deadlineMs: BUSY_MS })
  expect(await gateway(box)).toBeGreaterThan(0)
  expect(first).toBeGreaterThan(0)
})
