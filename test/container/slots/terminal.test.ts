import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { getContainerRuntimeClient } from 'testcontainers'
import { expect, test } from 'vitest'
import { dockerCommand, gatewayOf, keptHome, lives, startContainer } from '../../support/container/container.ts'
import { testImage } from '../../support/container/image.ts'
import { scratchDir } from '../../support/scratch.ts'
import { Terminal } from '../../support/terminal.ts'
import { waitFor } from '../../support/wait.ts'

let count = 0

/** `docker run -it OPTIONS IMAGE WORDS` on a terminal. */
async function terminal(options: readonly string[], args: readonly string[]): Promise<Terminal> {
  const name = `hermes-terminal-${process.pid}-${count++}`
  const command = ['docker', 'run', '--name', name, '-it', ...options, await testImage(), ...args]
    .map((argument) => `'${argument}'`)
    .join(' ')
  return new Terminal(command, async () => {
    await dockerCommand(['rm', '--force', '--volumes', name])
  })
}

test.each([{ options: [] }, { options: ['--init'] }])(
  'docker run -it $options bash has job control',
  async ({ options }) => {
    await using screen = await terminal(options, ['bash', '--norc'])
    screen.type('set -o | grep monitor; tty; id -un\n')
    await screen.shows(/monitor\s+on/)
    await screen.shows('/dev/pts/0')
    await screen.shows(/hermes\r\n/)
    // It speaks once it is in the foreground; what is typed before that would be bash's.
    screen.type('sh -c "echo fore""ground; exec sleep 1000"\n')
    await screen.shows('foreground')
    screen.type('\x1a') // Ctrl-Z
    await screen.shows(/Stopped/)
    screen.type('kill %1; exit 5\n')
    screen.type('exit 5\n')
    expect(await screen.exit()).toBe(5)
  },
)

test('Ctrl-C reaches the main program and nothing else', async () => {
  const home = scratchDir('hermes-home-')
  await using screen = await terminal(['-v', `${home}:/opt/data`], ['bash', '--norc'])
  screen.type('hermes config set gateway.command \'["sleep","1000"]\' && hermes gateway start && echo st""arted\n')
  await screen.shows('started')
  screen.type('hermes --json gateway status | tr , "\\n" | grep pid; sh -c "echo fore\\"\\"ground; exec cat"\n')
  const pid = /"pid": ?(\d+)/.exec(await screen.shows(/"pid": ?\d+/))?.[1]
  await screen.shows('foreground')
  screen.type('\x03')
  await screen.shows(/\^C[^$]*\$ $/) // bash is back
  screen.type('hermes --json gateway status | tr , "\\n" | grep pid | sed s/pid/again/; exit 3\n')
  await screen.shows(new RegExp(`"again": ?${pid}`))
  expect(await screen.exit()).toBe(3)
})

test('the main program decides itself what Ctrl-C does', async () => {
  await using screen = await terminal(
    [],
    ['sh', '-c', 'trap "echo int; exit 4" INT; echo ready; while :; do sleep 0.1; done'],
  )
  await screen.shows('ready')
  screen.type('\x03')
  await screen.shows('int')
  expect(await screen.exit()).toBe(4)
})

test.each([
  { tty: true, init: false },
  { tty: false, init: false },
  { tty: true, init: true },
  { tty: false, init: true },
])('hermes can write to /dev/stdout and /dev/stderr (tty: $tty, --init: $init)', async ({ tty, init }) => {
  await using box = await startContainer({
    tty,
    init,
    command: ['sh', '-c', 'id -un; echo out >/dev/stdout; echo err >/dev/stderr'],
  })
  expect(await box.exit()).toBe(0)
  await box.saw('out')
  await box.saw('err')
})

/** The container's own stdout is a pipe of the engine, or a terminal; the others are made inside, in front of /init. */
const onSocket = (reader: string): readonly string[] => [
  'perl',
  '-MIO::Handle',
  '-MSocket',
  '-e',
  `socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, 0) or die;
   if (fork == 0) { close $a; ${reader}; open my $f, ">", "/out/lines"; $f->autoflush; print $f $_ while <$b>; exit }
   close $b; open STDOUT, ">&", $a or die; close $a; exec "/init", @ARGV`,
]

test.each([
  { kind: 'a file', entrypoint: ['sh', '-c', 'exec /init "$@" >>/out/lines', 'sh'] },
  { kind: 'a socket', entrypoint: onSocket('') },
])('with $kind as standard output every line arrives, also of the main program', async ({ entrypoint }) => {
  using out = keptHome()
  await using box = await startContainer({
    entrypoint,
    command: ['sh', '-c', 'echo main speaks; exec sleep 1000'],
    mounts: [[out.path, '/out']],
    files: { 'config.yaml': lives('hello there'), desired_state: 'running\n' },
  })
  const lines = () => readFileSync(join(out.path, 'lines'), 'utf8')
  await waitFor('both lines', () => lines().includes('hello there\n') && lines().includes('main speaks\n'))
  await box.up('gateway-default')
})

test('a socket without a reader stalls nothing; its reader gets whole lines later, and the number of missing ones', async () => {
  using out = keptHome()
  const noisy = 'yes "$(printf %099d)" | head -n 50000; echo finished; exec sleep 1000'
  await using box = await startContainer({
    entrypoint: onSocket('select undef, undef, undef, 0.02 until -e "/out/read"'),
    mounts: [[out.path, '/out']],
    files: { 'config.yaml': gatewayOf('/bin/sh', '-c', noisy), desired_state: 'running\n' },
  })
  await waitFor('the file to be complete', () => box.file('logs/gateways/default/current')?.endsWith('Z finished\n'), {
    deadlineMs: 30_000,
  })
  await box.up('gateway-default')
  await box.ok('hermes', 'gateway', 'restart')
  writeFileSync(join(out.path, 'read'), '')
  const lines = await waitFor('the notice', () => {
    const seen = readFileSync(join(out.path, 'lines'), 'utf8')
    return seen.includes('lines left out here') && seen.split('\n').slice(0, -1)
  })
  expect(lines.filter((line) => !/^(0{99}|finished|hermes: lines left out here: \d+;.*)$/.test(line))).toEqual([])
  expect(await box.stop()).toMatchObject({ code: 0 })
})

test('the main program learns of a resize', async () => {
  await using box = await startContainer({
    tty: true,
    command: ['bash', '-c', 'trap "stty size" WINCH; echo ready; while :; do sleep 0.1; done'],
  })
  await box.saw('ready')
  const { container } = await getContainerRuntimeClient()
  await container.getById(box.id).resize({ h: 41, w: 123 })
  await box.saw('41 123')
})
