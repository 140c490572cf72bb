// Attempts of the runtime user, and mistakes of an author: root runs nothing of them, and the rest continues.
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startInit } from '../../support/supervisor/init-box.ts'
import { whyNoNamespace } from '../../support/supervisor/namespace.ts'
import { type Etc, startServices } from '../../support/supervisor/service-box.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNoNamespace() ?? (process.getuid?.() === 0 ? undefined : 'needs root')
const sleeps = '#!/bin/sh\nexec sleep 1000\n'
/** A program that shows who has run it. */
const evil = '#!/bin/sh\n[ "$(id -u)" != 0 ] || touch /run/owned\necho "evil ran as $(id -u)"\nexec sleep 1000\n'
const asHermes = (text: string): string =>
  `setpriv --reuid 10000 --regid 10000 --clear-groups -- /bin/sh -c '${text.replaceAll("'", "'\\''")}'`

describe.skipIf(why !== undefined)(`hostile and broken services (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  test('the attack would be seen: an author’s own service of this text, run as root, shows it', async () => {
    await using box = await startServices({ etc: { 'services.d/evil/run': evil } })
    await waitFor('it', () => box.read('/run/owned') === '' && box.log('evil').includes('evil ran as 0'))
    expect((await box.pid1.exec(['test', '-e', '/run/owned'])).code).toBe(0)
  })

  test('a definition that is refused is named with its repair, and the others run', async () => {
    const etc: Etc = {
      'services.d/good/run': sleeps,
      'services.d/theirs/run': evil,
      'services.d/group/run': evil,
      'services.d/open/run': evil,
      'services.d/plain/run': 'echo no interpreter\n',
      'services.d/nobit/run': sleeps,
      'services.d/nosh/run': '#!/no/such/sh\n',
      'services.d/dos/run': '#!/bin/sh\r\nexec sleep 1000\r\n',
      'services.d/dos2/run': '#!/command/with-contenv sh\r\nexec sleep 1000\r\n',
      'services.d/dos3/run': sleeps,
      'services.d/dos3/finish': '#!/bin/sh -e\r\n',
      's6-overlay/s6-rc.d/dos4/type': 'oneshot\n',
      's6-overlay/s6-rc.d/dos4/up': '/etc/s6-overlay/scripts/dos4\n',
      's6-overlay/scripts/dos4': '#!/bin/sh\r\n',
      's6-overlay/s6-rc.d/dos5/type': 'oneshot\n',
      's6-overlay/s6-rc.d/dos5/up': '/bin/true\n',
      's6-overlay/s6-rc.d/dos5/down': '/etc/s6-overlay/scripts/dos4\n',
      'services.d/logger/run': sleeps,
      'services.d/logger/log/run': evil,
      'services.d/secret/run': sleeps,
      'services.d/secret/notification-fd': '3\n',
      's6-overlay/s6-rc.d/user/type': 'bundle\n',
      ...Object.fromEntries(['a', 'b', 'c'].map((name) => [`s6-overlay/s6-rc.d/user/contents.d/${name}`, ''])),
      ...Object.fromEntries(['a', 'b', 'c'].map((name) => [`s6-overlay/s6-rc.d/${name}/type`, 'longrun\n'])),
      ...Object.fromEntries(['a', 'b', 'c'].map((name) => [`s6-overlay/s6-rc.d/${name}/run`, sleeps])),
      's6-overlay/s6-rc.d/a/dependencies.d/b': '',
      's6-overlay/s6-rc.d/b/dependencies.d/a': '',
      's6-overlay/s6-rc.d/c/dependencies.d/nowhere': '',
      'hermes/services.yaml':
        'services:\n  fine: {command: [sleep, "1000"]}\n  typo:\n    command: [sleep, "1000"]\n    restrat: never\n  script:\n    command: [/opt/writable/run]\n  linked: {command: [/usr/local/linked]}\n',
    }
    await using box = await startServices({
      etc,
      prepare: [
        'chown 10000:10000 /etc/services.d/theirs/run',
        'chmod 775 /etc/services.d/group',
        'chmod 757 /etc/services.d/open/run',
        'chmod 755 /etc/services.d/plain/run && chmod -x /etc/services.d/nobit/run',
        'chmod 777 /etc/services.d/logger/log',
        'ln -sf /opt/writable/fd /etc/services.d/secret/notification-fd',
        `mkdir -m 777 /opt/writable && echo 3 >/opt/writable/fd && printf '#!/bin/sh\\n' >/opt/writable/run && chmod 755 /opt/writable/run`,
        'mount -t tmpfs -o mode=755 tmpfs /usr/local && ln -s /opt/writable/run /usr/local/linked',
      ].join('\n'),
    })
    await box.up('good')
    await box.up('fine')
    const { warnings } = await box.status()
    const expected: Readonly<Record<string, string>> = {
      theirs: '/etc/services.d/theirs/run: it belongs to uid 10000, who could change what root runs; chown root:root',
      group: '/etc/services.d/group: others than root can write it (mode 0775); chmod go-w /etc/services.d/group',
      open: '/etc/services.d/open/run: others than root can write it',
      plain: '/etc/services.d/plain/run: it has no interpreter line; begin it with #!/bin/sh',
      nobit: '/etc/services.d/nobit/run: it is not executable; chmod +x',
      nosh: '/etc/services.d/nosh/run: its interpreter /no/such/sh does not exist',
      dos: "/etc/services.d/dos/run: its lines end in CRLF; save it with LF line ends: sed -i 's/\\r$//' /etc/services.d/dos/run",
      dos2: '/etc/services.d/dos2/run: its lines end in CRLF',
      dos3: '/etc/services.d/dos3/finish: its lines end in CRLF',
      dos4: '/etc/s6-overlay/scripts/dos4: its lines end in CRLF',
      dos5: '/etc/s6-overlay/scripts/dos4: its lines end in CRLF',
      logger: '/etc/services.d/logger/log: others than root can write it (mode 0777)',
      secret: '/opt/writable: others than root can write it',
      a: '/etc/s6-overlay/s6-rc.d/a: depends on itself: a → b → a',
      b: '/etc/s6-overlay/s6-rc.d/b: depends on itself: a → b → a',
      c: '/etc/s6-overlay/s6-rc.d/c: depends on nowhere, which is not defined; define nowhere',
      typo: '/etc/hermes/services.yaml, line 5, restrat: unknown key; did you mean restart?',
      script: 'command: /opt/writable: others than root can write it',
      linked: 'command: /opt/writable: others than root can write it',
    }
    for (const [name, message] of Object.entries(expected)) {
      const line = warnings.find((warning) => warning.startsWith(`service ${name} is left out: `))
      expect(line, name).toContain(message)
      expect(box.pid1.stderr()).toContain(line)
    }
    const { slots } = await box.status()
    expect(slots.map(({ slot }) => slot).filter((slot) => slot.startsWith('service-'))).toEqual([
      'service-fine',
      'service-good',
    ])
    expect((await box.pid1.exec(['test', '-e', '/run/owned'])).code).toBe(1)
  })

  test.each([
    ['/etc/services.d', ['service-api']],
    ['/etc/hermes', ['service-web']],
    ['/etc', []],
  ])('with %s writable by others none of its services runs', async (dir, left) => {
    await using box = await startServices({
      etc: {
        'services.d/web/run': sleeps,
        'hermes/services.yaml': 'services: {api: {command: [sleep, "1000"]}}\n',
      },
      prepare: `chmod 777 ${dir}`,
    })
    await box.pid1.saw(`${dir}: `)
    await waitFor('the boot', async () => (await box.status()).phase === 'running')
    const slots = (await box.status()).slots.map(({ slot }) => slot)
    expect(slots.filter((slot) => slot.startsWith('service-'))).toEqual(left)
  })

  test('a definition that cannot be taken as it is costs the others nothing, nor does an odd PATH', async () => {
    const services = {
      good: { command: ['sleep', '1000'] },
      'many-words': { command: ['sleep', ...Array<string>(1001).fill('1')] },
      'long-word': { command: ['sleep', '1'.repeat(131_073)] },
      'many-variables': {
        command: ['sleep', '1'],
        environment: Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`A${i}`, ''])),
      },
      'long-name': { command: ['x'.repeat(300)] },
      'no-id': { command: ['sleep', '1'], user: 4_294_967_296 },
      needy: { command: ['sleep', '1'], depends_on: ['long-word'] },
    }
    await using box = await startServices({
      etc: { 'hermes/services.yaml': JSON.stringify({ services }) },
      env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin:/${'x'.repeat(300)}` },
    })
    await box.up('good')
    const { warnings, slots } = await box.status()
    expect(slots.map(({ slot }) => slot).filter((slot) => slot.startsWith('service-'))).toEqual(['service-good'])
    const tooMuch = 'it has more than 1000 arguments or variables, or one of more than 128 KiB'
    const expected: Readonly<Record<string, string>> = {
      'many-words': tooMuch,
      'long-word': tooMuch,
      'many-variables': tooMuch,
      'long-name': 'it cannot be examined (ENAMETOOLONG)',
      'no-id': 'no account 4294967296',
    }
    for (const [name, message] of Object.entries(expected))
      expect(`${box.pid1.stderr()}${warnings.join('\n')}`).toMatch(
        new RegExp(`service ${name} is left out: .*${message.replaceAll(/[()]/g, '\\$&')}`),
      )
    const flood = Object.fromEntries(Array.from({ length: 1100 }, (_, i) => [`Bad${i}`, {}]))
    await using flooded = await startServices({
      etc: { 'hermes/services.yaml': JSON.stringify({ services: { good: services.good, ...flood } }) },
    })
    await flooded.up('good')
  })

  test('a service’s directory is entered as its user: a link of the runtime user’s leads root nowhere', async () => {
    const yaml = (home: string): string => `services:
  linked: {command: [cat, note], user: hermes, directory: ${home}/app, restart: never}
  own: {command: [sh, -c, 'pwd; cat note'], user: hermes, directory: ${home}/mine, restart: never}`
    await using box = await startServices({
      etc: {},
      prepare: `mkdir -p /etc/hermes && cat >/etc/hermes/services.yaml <<END\n${yaml('$home')}\nEND
        mkdir -m 700 /run/roots && mkdir -m 755 /run/roots/inner && echo secret >/run/roots/inner/note
        ln -s /run/roots/inner $home/app; mkdir $home/mine; echo mine >$home/mine/note; chown -hR 10000:10000 $home`,
    })
    await waitFor('the honest one', () => box.log('own') === `${box.home}/mine\nmine\n`)
    await waitFor('the other', () => box.log('linked') !== '')
    expect(box.log('linked')).toMatch(/can't cd to .*app/)
    expect(await box.service('linked', ({ lastDeath }) => lastDeath !== undefined)).toMatchObject({
      lastDeath: { exitCode: 111 },
    })
  })

  test('a supervisor that lies can name services, and nothing else', async () => {
    await using box = await startInit({
      slots: { 'service-web': evil, 'service-nothing': evil },
      prepare: `mkdir -p /etc/services.d/web && printf '#!/bin/sh\\necho "mine $(id -u)"\\nexec sleep 1000\\n' >/etc/services.d/web/run && chmod 755 /etc/services.d/web/run`,
    })
    const supervisor = await box.install.life(1)
    const { begun } = await supervisor.hello()
    if (!begun) await supervisor.got('begin')
    await expect(supervisor.spawned('service-nothing')).rejects.toThrow('the image defines no such service')
    await expect(supervisor.spawned('service-web', { program: 'finish' })).rejects.toThrow('it has no finish program')
    await supervisor.spawned('service-web')
    expect(await box.slotLines('service-web', 'mine')).toBe('mine 0\n')
    expect((await box.pid1.exec(['test', '-e', '/run/owned'])).code).toBe(1)
  })

  test('a definition that root itself may not read is named, and the others run', async () => {
    const laid = ['hidden', 'value', 'web'].map(
      (name) =>
        `mkdir -p /etc/services.d/${name} && printf '#!/bin/sh\\necho mine\\nexec sleep 1000\\n' >/etc/services.d/${name}/run && chmod 755 /etc/services.d/${name}/run`,
    )
    await using box = await startInit({
      // As with --cap-drop ALL: root is the owner of its files, and nothing more.
      before: ['setpriv', '--bounding-set=-dac_override,-dac_read_search', '--'],
      prepare: [
        ...laid,
        'chmod 111 /etc/services.d/hidden/run',
        'echo 3 >/etc/services.d/value/notification-fd && chmod 0 /etc/services.d/value/notification-fd',
      ].join('\n'),
    })
    const supervisor = await box.install.life(1)
    const { begun } = await supervisor.hello()
    if (!begun) await supervisor.got('begin')
    for (const file of ['hidden/run', 'value/notification-fd'])
      expect(box.pid1.stderr()).toContain(
        `service ${file.split('/')[0]} is left out: /etc/services.d/${file}: it cannot be read (EACCES); chmod a+r /etc/services.d/${file}`,
      )
    await expect(supervisor.spawned('service-hidden')).rejects.toThrow('the image defines no such service')
    await supervisor.spawned('service-web')
    expect(await box.slotLines('service-web', 'mine')).toBe('mine\n')
  })

  test('without CAP_FOWNER a service of another user starts all the same, and may open its stdout', async () => {
    await using box = await startInit({
      before: ['setpriv', '--bounding-set=-fowner', '--inh-caps=-fowner', '--'],
      prepare: `mkdir -p /etc/hermes; echo 'services: {web: {command: [sh, -c, "echo mine $(id -u) >/dev/stdout; exec sleep 1000"], user: daemon}}' >/etc/hermes/services.yaml`,
    })
    const supervisor = await box.install.life(1)
    const { begun } = await supervisor.hello()
    if (!begun) await supervisor.got('begin')
    await supervisor.spawned('service-web')
    expect(await box.slotLines('service-web', 'mine')).toBe('mine 1\n')
    expect(await box.ok('stat', '-c', '%U %G %a', '/run/hermes/log/service-web')).toBe('daemon hermes 660\n')
  })

  test('a oneshot that a lying supervisor runs once more without undoing it is not undone while it runs', async () => {
    const up = `echo up >>"$HERMES_HOME/order"
[ -e "$HERMES_HOME/again" ] || exit 0
trap 'sleep 0.5; echo told >>"$HERMES_HOME/order"; exit 0' TERM
echo waits
while :; do sleep 0.05; done`
    await using box = await startInit({
      prepare: `cat >/etc/hermes-up <<'END'\n#!/bin/sh\n${up}\nEND
printf '#!/bin/sh\\necho down >>"$HERMES_HOME/order"\\n' >/etc/hermes-down; chmod 755 /etc/hermes-*
mkdir -p /etc/hermes; echo 'services: {once: {command: [/etc/hermes-up], finish: [/etc/hermes-down], oneshot: true}}' >/etc/hermes/services.yaml`,
    })
    const supervisor = await box.install.life(1)
    const { begun } = await supervisor.hello()
    if (!begun) await supervisor.got('begin')
    await supervisor.spawned('service-once')
    await supervisor.got('exit')
    writeFileSync(join(box.home, 'again'), '')
    await supervisor.spawned('service-once')
    await box.slotLines('service-once', 'waits')
    box.pid1.signal('TERM')
    await box.exit()
    expect(readFileSync(join(box.home, 'order'), 'utf8')).toBe('up\nup\ntold\ndown\n')
  })

  test('whatever the runtime user puts where it can write, no service of root’s runs it', async () => {
    await using box = await startServices({
      etc: {
        'services.d/web/run': sleeps,
        'services.d/web/finish': '#!/bin/sh\necho finished\n',
        'hermes/services.yaml':
          'services:\n  mine: {command: [sleep, "1000"], user: hermes}\n  once: {command: ["true"], oneshot: true}\n',
      },
      env: { LD_PRELOAD_NOT: 'x' },
    })
    await box.up('web')
    await box.up('mine')
    const attack = `
      for slot in web mine once; do
        for dir in /run/service/$slot /run/service/service-$slot; do
          rm -rf "$dir"; mkdir "$dir"
          for program in run finish up down; do echo '${evil.replaceAll("'", '"').replaceAll('\n', ';')}' | sed 's/;/\\n/g' >"$dir/$program"; chmod 755 "$dir/$program"; done
        done
      done
      echo "$HOME" >/dev/null
      for file in /run/hermes/services.json /run/hermes/services/service-mine /etc/services.d/web/run /run/hermes/log/x; do
        (echo evil >"$file") 2>/dev/null && echo "wrote $file"
        rm -f "$file" 2>/dev/null; mv "$file" "$file.old" 2>/dev/null
      done
      true`
    const { stdout } = await box.pid1.exec(['sh', '-c', asHermes(attack)])
    expect(stdout).not.toContain('wrote')
    for (const name of ['web', 'mine', 'once']) {
      const { pid } = await box.service(name, () => true)
      await box.hermes('service', 'restart', name)
      if (name !== 'once') await box.service(name, (slot) => slot.state === 'up' && slot.pid !== pid)
    }
    await waitFor('its own finish', () => box.log('web').includes('finished'))
    expect(`${box.log('web')}${box.log('mine')}${box.log('once')}`).not.toContain('evil')
    // As a supervisor it can name what is there, and nothing else.
    expect(await box.hermes('service', 'start', 'evil')).toMatchObject({ code: 3 })
    expect((await box.pid1.exec(['test', '-e', '/run/owned'])).code).toBe(1)
    expect(await box.stop()).toEqual({ code: 0 })
  })
})
