// One volume under an earlier version, this one, and the earlier one again: nothing of it is lost on the way, up or
// down.
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Box, gatewayOf, keptHome, lives, startContainer } from '../../support/container/container.ts'
import { olderImage, testImage } from '../../support/container/image.ts'
import { scratchDir } from '../../support/scratch.ts'
import { waitFor } from '../../support/wait.ts'

const older = await olderImage()

/** Tells how many times it has been asked in this session, from what it is sent. */
const AGENT = '#!/bin/sh\ncat | grep -c question\n'

test.skipIf(older === undefined)(
  `a volume goes from an earlier version to this one and back (${older ?? 'its commit is not in this checkout'})`,
  async () => {
    using volume = keptHome()
    const tools = scratchDir('hermes-tools-')
    writeFileSync(join(tools, 'agent'), AGENT)
    for (const path of [tools, join(tools, 'agent')]) chmodSync(path, 0o755)
    const start = (image: string): Promise<Box> =>
      startContainer({ image, home: volume.path, command: ['gateway', 'run'], mounts: [[tools, '/tools', 'ro']] })
    const upOrDown = async (box: Box): Promise<Readonly<Record<string, string>>> => {
      await box.up('gateway-default')
      await box.slot('gateway-parked', ({ state }) => state === 'parked')
      const slots = await waitFor('every slot to be where it stays', async () => {
        const { slots } = await box.status()
        return slots.every(({ state }) => state !== 'starting' && state !== 'backoff') && slots
      })
      return Object.fromEntries(slots.flatMap(({ profile, state }) => (profile ? [[profile, state]] : [])))
    }
    const ask = (box: Box): Promise<string> =>
      box.ok('hermes', 'chat', '--session', 'morning', '-q', 'question').then((answer) => answer.trim())
    const tasks = async (box: Box): Promise<readonly string[]> =>
      (JSON.parse(await box.ok('hermes', '--json', 'kanban', 'list')) as { title: string }[])
        .map(({ title }) => title)
        .sort()
    const lines = async (box: Box, name: string): Promise<number> =>
      (await box.ok('hermes', 'logs', name, '-n', '1000')).match(/ alive$/gm)?.length ?? 0
    const boots = (box: Box): number => box.file('logs/container-boot.log')?.match(/ profile=default /g)?.length ?? 0

    {
      await using box = await start(older ?? '')
      await box.up('gateway-default')
      await box.ok('hermes', 'config', 'set', 'agent.command', '[/tools/agent]')
      const configs = { on: lives(), off: lives(), parked: gatewayOf('/bin/sh', '-c', 'exit 78') }
      for (const [name, config] of Object.entries(configs)) {
        await box.ok('hermes', 'profile', 'create', name)
        writeFileSync(join(volume.path, 'profiles', name, 'config.yaml'), config)
        await box.exec(['hermes', '-p', name, 'gateway', 'start'])
      }
      await box.ok('hermes', '-p', 'off', 'gateway', 'stop')
      await box.ok('hermes', 'kanban', 'create', 'first', '--at', '+30d')
      expect(await upOrDown(box)).toEqual({ default: 'up', on: 'up', off: 'down', parked: 'parked' })
      expect(await ask(box)).toBe('1')
      await box.stop()
    }
    {
      await using box = await start(await testImage())
      // A gateway that was parked is tried again at each boot: its gateway_state says no other word than the
      // operator's.
      expect(await upOrDown(box)).toEqual({ default: 'up', on: 'up', off: 'down', parked: 'parked' })
      expect(await box.ok('hermes', 'upgrade', 'check')).toMatch(/ (can use|changes nothing in) \/opt\/data/)
      expect(await ask(box)).toBe('2')
      expect(await tasks(box)).toEqual(['first'])
      await waitFor('the second line of on', async () => (await lines(box, 'on')) === 2)
      expect(boots(box)).toBe(2)
      await box.ok('hermes', '-p', 'on', 'gateway', 'stop')
      await box.ok('hermes', '-p', 'off', 'gateway', 'start')
      await waitFor('the second line of off', async () => (await lines(box, 'off')) === 2)
      await box.ok('hermes', 'kanban', 'create', 'second', '--at', '+30d', '--once')
      await box.stop()
    }
    {
      await using box = await start(older ?? '')
      expect(await upOrDown(box)).toEqual({ default: 'up', on: 'down', off: 'up', parked: 'parked' })
      expect(await ask(box)).toBe('3')
      expect(await tasks(box)).toEqual(['first', 'second'])
      await waitFor('the third line of off', async () => (await lines(box, 'off')) === 3)
      expect(boots(box)).toBe(3)
      await box.ok('hermes', '-p', 'on', 'gateway', 'start')
      await box.stop()
    }
    // The earlier version's writes over files with a checksum do not count as an operator's command.
    await using box = await start(await testImage())
    expect(await upOrDown(box)).toEqual({ default: 'up', on: 'up', off: 'up', parked: 'parked' })
    expect(await ask(box)).toBe('4')
    expect(await tasks(box)).toEqual(['first', 'second'])
    expect(boots(box)).toBe(4)
    expect((await box.logs()).stderr).not.toMatch(/is a copy of|is ignored/)
  },
)
