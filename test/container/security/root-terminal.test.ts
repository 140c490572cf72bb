// A `hermes` that is typed into a shell of root's: root's terminal stays root's, and everything behaves as on that
// terminal.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Box, lives, startContainer } from '../../support/container/container.ts'
import { Terminal } from '../../support/terminal.ts'
import { waitFor } from '../../support/wait.ts'

/** Types a harmless command line into its controlling terminal; a shell that reads there runs it. */
const types = `open(my $tty, '+<', '/dev/tty') or die "no terminal\\n";
ioctl($tty, 0x5412, $_) or die "refused\\n" for split //, "id -u >>/tmp/typed\\n";
print "typed\\n"`

let box: Box
beforeAll(async () => {
  box = await startContainer({
    command: ['sleep', '100000'],
    files: {
      'types.pl': types,
      'config.yaml': `${lives()}agent:\n  command: [perl, /opt/data/types.pl]\n`,
      desired_state: 'running\n',
    },
  })
  await box.up('gateway-default')
  await box.ok('chmod', '777', '/tmp')
})
afterAll(async () => box?.[Symbol.asyncDispose]())

/** `docker exec -it … bash`, as root. */
async function rootShell(): Promise<Terminal> {
  const screen = new Terminal(`docker exec -it -e PS1='# ' ${box.id} bash --norc --noediting`, async () => undefined)
  screen.type('set -o | grep monitor; id -u\n')
  await screen.shows(/monitor\s+on[\s\S]*\n0\r\n/)
  return screen
}

const typed = async (): Promise<string> => (await box.exec(['cat', '/tmp/typed'])).stdout
const forget = (): Promise<string> => box.ok('rm', '-f', '/tmp/typed')

test('s6-setuidgid keeps the terminal, as s6’s own does: a program that it starts may type into root’s shell', async (context) => {
  const switchedOff = (await box.exec(['cat', '/proc/sys/dev/tty/legacy_tiocsti'])).stdout.trim() === '0'
  context.skip(switchedOff, 'this kernel lets nobody type into a terminal (dev.tty.legacy_tiocsti)')
  await forget()
  await using screen = await rootShell()
  screen.type('s6-setuidgid hermes perl /opt/data/types.pl\n')
  await waitFor('root’s shell to run what was typed', async () => (await typed()) === '0\n')
})

test('an agent of hermes chat cannot type into the root shell that hermes was typed in', async () => {
  await forget()
  await using screen = await rootShell()
  screen.type('hermes chat -q hello; echo chat ended $?\n')
  const seen = await screen.shows(/chat ended \d/)
  expect(seen).toMatch(/typed|refused|no terminal/)
  screen.type('echo still "here"\n')
  await screen.shows('still here')
  expect(await typed()).not.toContain('0')
})

test.each(['</dev/null', '| cat', '2>&1 | cat', '</dev/null 2>&1 | cat'])(
  'nor is it in reach with %s behind the command',
  async (redirection) => {
    await forget()
    await using screen = await rootShell()
    screen.type(`hermes chat -q hello ${redirection}; echo chat "ended"\n`)
    await screen.shows('chat ended')
    expect(await typed()).not.toContain('0')
  },
)

test('Tab completes commands and names in that shell, as the image has the script', async () => {
  await using screen = new Terminal(`docker exec -it ${box.id} bash`, async () => undefined)
  screen.type('echo "I am" here\n')
  await screen.shows('I am here')
  // A word of the script, then a name that the runtime user looks up.
  screen.type('hermes prof\tsh\tdefa\t; echo code $?\n')
  const seen = await screen.shows(/\r\ncode \d/)
  expect(seen).toMatch(/hermes profile show default ; echo code/)
  expect(seen).toMatch(/\r\ncode 0/)
  expect(seen).not.toMatch(/error|not found|_hermes/)
})

test('an editor gets another terminal and session, of the same size, which follows the first', async () => {
  await using screen = await rootShell()
  const look = 'tty; stty size; trap "stty size; echo resized" WINCH; echo looked; while :; do sleep 0.1; done'
  await box.ok('sh', '-c', `printf '#!/bin/sh\\n%s\\n' '${look}' >/usr/local/bin/look && chmod 755 /usr/local/bin/look`)
  screen.type('stty cols 91 rows 23; tty; EDITOR=look hermes config edit; echo code $?\n')
  const seen = await screen.shows(/looked\r\n/)
  const [roots, own] = [...seen.matchAll(/\/dev\/pts\/\d+/g)].map(([name]) => name)
  expect(own).not.toBe(roots)
  expect(seen).toContain('23 91\r\n')
  await box.ok('stty', '-F', roots ?? '', 'cols', '72', 'rows', '21')
  await screen.shows(/21 72\r\n+resized/)
  screen.type('\x03')
  await screen.shows(/code \d+/)
})

test('Ctrl-C, Ctrl-Z, fg, Ctrl-D and exit codes are as ever', async () => {
  await using screen = await rootShell()
  screen.type('hermes logs -f\n')
  await waitFor('hermes to have a terminal of its own', async () =>
    (await box.ok('sh', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "')).includes('hermes.cjs logs -f'),
  )
  await box.ok('sh', '-c', 'echo "a line" >>/opt/data/logs/gateways/default/current')
  await screen.shows('a line')
  screen.type('\x1a')
  await screen.shows(/Stopped\s+hermes logs -f/)
  screen.type('echo the shell "answers"; fg\n')
  await screen.shows('the shell answers')
  await box.ok('sh', '-c', 'echo "another line" >>/opt/data/logs/gateways/default/current')
  await screen.shows('another line')
  screen.type('\x03')
  await screen.shows(/\^C\s*# $/)
  screen.type('echo "code:" $?; stty -a | grep -o -e "-\\?icanon"\n')
  await screen.shows(/code: \d+\r\nicanon/)

  screen.type('EDITOR=cat hermes config edit; echo edited $?\n')
  await screen.shows('agent:')
  await screen.shows(/edited \d/)
  screen.type('hermes no such command; echo "wrong:" $?; hermes version; echo "right:" $?\n')
  const seen = await screen.shows('right: 0')
  expect(seen).toContain('wrong: 2')
  expect(seen).toMatch(/hermes \d+\.\d+\.\d+[^\r\n]*\r\n/)
})

test('a stream that is not a terminal passes untouched, in both directions', async () => {
  await using screen = await rootShell()
  screen.type(
    'hermes version >/tmp/out 2>/tmp/err; hermes version | od -c | tail -n 2; od -c /tmp/out | tail -n 2; echo "done"\n',
  )
  const seen = await screen.shows(/done\r\n/)
  expect(seen.match(/\\n/g)?.length).toBe(2)
  expect(seen).not.toContain('\\r')
  screen.type('hermes logs -f | head -n 1; echo "head ended"\n')
  await screen.shows(/head ended\r\n/)
  screen.type('echo hello | hermes chat; echo "chat" $?\n')
  await screen.shows(/chat \d/)
})
