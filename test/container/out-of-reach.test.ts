// What the runtime user cannot reach although it shares a uid with it: the supervisor's memory, descriptors and what it remembers.
import { expect, test } from 'vitest'
import { type Box, gatewayOf, lives, startContainer } from '../support/container.ts'
import { waitFor } from '../support/wait.ts'

const asHermes = (box: Box, script: string) => box.exec(['sh', '-c', script], { user: 'hermes' })

/** The pid of a program of ours, by a word of its command line: a glob that does not match itself. */
const pidOf = async (box: Box, word: string): Promise<number> => {
  const script = `for dir in /proc/[0-9]*; do case "$(tr '\\0' ' ' <$dir/cmdline 2>/dev/null)" in *node*${word}*) echo "\${dir#/proc/}";; esac; done`
  return Number((await box.ok('sh', '-c', script)).trim().split('\n')[0])
}
const supervisorOf = (box: Box): Promise<number> => pidOf(box, 'lib/supervisor[.]cjs')

/** Tries what a process may do to another one of its uid. One line for each: `NAME yes` or `NAME no`. */
const PROBE = `
const { openSync, readSync, readdirSync, readFileSync, closeSync, readlinkSync } = require('node:fs')
const pid = Number(process.argv[1])
const binding = { exports: {} }
process.dlopen(binding, '/opt/hermes/lib/koffi.node')
const libc = binding.exports.load(null)
const ptrace = libc.func('ptrace', 'long', ['long', 'int', 'long', 'long'])
const attempts = {
  environ: () => readFileSync('/proc/' + pid + '/environ').length > 0,
  mem: () => {
    const [range] = readFileSync('/proc/' + pid + '/maps', 'latin1').split(' ')
    const fd = openSync('/proc/' + pid + '/mem', 'r')
    return readSync(fd, Buffer.alloc(4), 0, 4, parseInt(range.split('-')[0], 16)) === 4
  },
  fd: () => readdirSync('/proc/' + pid + '/fd').length > 0,
  cwd: () => readlinkSync('/proc/' + pid + '/cwd') !== '',
  root: () => readdirSync('/proc/' + pid + '/root').length > 0,
  // PTRACE_SEIZE, which leaves it running; we end a moment later, and that detaches.
  trace: () => Number(ptrace(0x4206, pid, 0, 0)) === 0,
}
for (const [name, attempt] of Object.entries(attempts)) {
  let done = false
  try { done = attempt() } catch {}
  console.log(name, done ? 'yes' : 'no')
}
`
const probe = async (box: Box, pid: number): Promise<Readonly<Record<string, string>>> => {
  const { stdout, stderr } = await box.exec(['/usr/local/bin/node', '-e', PROBE, String(pid)], { user: 'hermes' })
  const found = Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ') as [string, string]),
  )
  if (Object.keys(found).length !== 6) throw new Error(`${stdout}${stderr}`)
  return found
}
const NOTHING = { environ: 'no', mem: 'no', fd: 'no', cwd: 'no', root: 'no', trace: 'no' }
const EVERYTHING = { environ: 'yes', mem: 'yes', fd: 'yes', cwd: 'yes', root: 'yes', trace: 'yes' }

test('a process of the runtime user can look into another gateway but not into the supervisor, though both have its uid', async () => {
  await using box = await startContainer({ files: { 'config.yaml': lives(), desired_state: 'running\n' } })
  const { pid = 0 } = await box.up('gateway-default')
  expect(await probe(box, pid)).toEqual(EVERYTHING)
  const supervisor = await supervisorOf(box)
  expect(await box.ok('sed', '-n', 's/^Uid:\\t//p', `/proc/${supervisor}/status`)).toMatch(/^(10000\s){4}/)
  expect(await probe(box, supervisor)).toEqual(NOTHING)
  // Killed, it is replaced by one that is no more open, and the gateway has not noticed.
  await asHermes(box, `kill -KILL ${supervisor}`)
  const next = await waitFor('the next supervisor', async () => {
    const found = await supervisorOf(box)
    return found !== supervisor && found !== 0 && found
  })
  expect(await probe(box, next)).toEqual(NOTHING)
  expect(await box.up('gateway-default')).toMatchObject({ pid })
})

test('only root can read and write what the next supervisor believes about a slot', async () => {
  const dies = gatewayOf('/bin/sh', '-c', 'exit 78')
  await using box = await startContainer({ files: { 'config.yaml': dies, desired_state: 'running\n' } })
  await box.slot('gateway-default', (slot) => slot.state === 'parked')
  const { stdout } = await asHermes(
    box,
    'cd /run/hermes; cat slots/gateway-default; ls slots; echo {} >slots/gateway-default; rm -f slots/gateway-default; mv slots old; mkdir slots; ln -s /tmp slots; echo tried',
  )
  expect(stdout).toBe('tried\n')
  expect(await box.ok('stat', '-c', '%U %a', '/run/hermes/slots', '/run/hermes/slots/gateway-default')).toBe(
    'root 700\nroot 600\n',
  )
  const supervisor = await supervisorOf(box)
  await box.kill(supervisor)
  await waitFor('the next supervisor', async () => ![0, supervisor].includes(await supervisorOf(box)))
  expect(await box.slot('gateway-default', () => true)).toMatchObject({ state: 'parked' })
})

/** What can be wrong with a state file: sh, with `$file`. */
const SPOILED: Readonly<Record<string, string>> = {
  fifo: 'rm $file; mkfifo $file',
  directory: 'rm $file; mkdir $file',
  link: 'ln -sf /proc/self/pagemap $file',
  empty: ': >$file',
  torn: 'head -c 100 $file >/tmp/torn; cat /tmp/torn >$file',
  'no-text': 'head -c 100000 /dev/zero >$file',
  'ten-gigabytes': 'truncate -s 10G $file',
  'no-policy': 'sed -i \'s/"policy":{[^}]*}/"policy":null/\' $file',
  'no-child': 'sed -i \'s/"child":{[^}]*}/"child":7/\' $file',
}

test('state files that are spoiled cost the other slots nothing, and are made anew', async () => {
  const names = Object.keys(SPOILED)
  const profiles = names.flatMap((name) => [
    [`profiles/${name}/config.yaml`, lives()],
    [`profiles/${name}/desired_state`, 'running\n'],
  ])
  await using box = await startContainer({
    files: { 'config.yaml': lives(), desired_state: 'running\n', ...Object.fromEntries(profiles) },
  })
  const pids = async () => {
    const up = await Promise.all(['default', ...names].map((name) => box.up(`gateway-${name}`)))
    return up.map(({ pid }) => pid)
  }
  const before = await pids()
  const supervisor = await supervisorOf(box)
  const spoil = Object.entries(SPOILED).map(([name, script]) => `file=/run/hermes/slots/gateway-${name}; ${script}`)
  await box.ok('sh', '-c', [`kill -STOP ${supervisor}`, ...spoil, `kill -KILL ${supervisor}`].join('; '))
  for (const name of names) await box.saw(`what was kept of gateway-${name} is of no use`)
  expect(await pids()).toEqual(before)
  for (const name of names) {
    await waitFor(`the state of ${name} to be written again`, async () => {
      const { stdout } = await box.exec(['cat', `/run/hermes/slots/gateway-${name}`])
      return stdout.includes('"state":"up"')
    })
  }
})

test('a supervisor that a gateway stops by a signal goes on within ten seconds', async () => {
  await using box = await startContainer({ files: { 'config.yaml': lives(), desired_state: 'running\n' } })
  await box.up('gateway-default')
  const supervisor = await supervisorOf(box)
  await asHermes(box, `kill -STOP ${supervisor}`)
  await box.saw(`the supervisor (pid ${supervisor}) was stopped by a signal; it is continued`, { deadlineMs: 10_000 })
  await box.up('gateway-default')
  expect(await supervisorOf(box)).toBe(supervisor)
})
