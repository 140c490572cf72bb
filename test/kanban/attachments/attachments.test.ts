// Files that are attached to tasks: what is listed has its content, whatever ends when, and whatever lies there.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { board as checkBoard } from '../../../src/cli/checks/board.ts'
import { makeContext } from '../../../src/cli/context/context.ts'
import { kanbanCli } from '../../support/kanban/cli.ts'

interface Listed {
  readonly name: string
  readonly size_bytes: number
  readonly state: string
  readonly path: string
}

async function withTask() {
  const cli = kanbanCli()
  const id = await cli.create('Check')
  const file = (name: string, content: string | Buffer): string => {
    writeFileSync(join(cli.home, name), content)
    return join(cli.home, name)
  }
  const dir = join(cli.home, 'kanban', 'attachments', id)
  return { ...cli, id, file, dir, list: () => cli.json<Listed[]>('attachments', id) }
}

test('a file is attached, handed over, read, detached and forgotten with its task', async () => {
  const cli = await withTask()
  using _ = cli
  const { id, file, dir } = cli
  const bytes = Buffer.from([0, 255, 10, 13, 128])
  expect((await cli.kanban('attach', id, file('a.bin', bytes), file('b ä.txt', 'b'))).code).toBe(0)
  expect(await cli.list()).toMatchObject([
    { name: 'a.bin', size_bytes: 5, state: 'there', path: join(dir, 'a.bin'), by: 'tester' },
    { name: 'b ä.txt', size_bytes: 1, state: 'there' },
  ])
  expect([statSync(join(dir, 'a.bin')).mode & 0o777, readdirSync(dir).length]).toEqual([0o640, 2])
  const { out } = await cli.kanban('prompt', id)
  expect(out).toBe(`Check\n\n# Files of this task\n\n- ${dir}/a.bin (5 bytes)\n- ${dir}/b ä.txt (1 bytes)\n`)
  expect(await cli.json('prompt', id)).toMatchObject({
    attachments: [{ name: 'a.bin', size_bytes: 5, path: join(dir, 'a.bin') }, { name: 'b ä.txt' }],
  })
  expect((await cli.kanban('show', id)).out).toContain(`\nAttachments\n  ${dir}/a.bin (5 bytes)\n`)
  const copy = join(cli.home, 'copy')
  expect((await cli.kanban('attachments', id, 'a.bin', '-o', copy)).code).toBe(0)
  expect(readFileSync(copy)).toEqual(bytes)
  expect(await cli.kanban('attachments', id, 'a.bin', '-o', copy)).toMatchObject({
    code: 1,
    err: expect.stringContaining('is there already'),
  })
  expect((await cli.kanban('detach', id, 'a.bin')).code).toBe(0)
  expect([readdirSync(dir), await cli.list()]).toMatchObject([['b ä.txt'], [{ name: 'b ä.txt' }]])
  const { events } = await cli.json<{ events: { kind: string; payload: Record<string, unknown> }[] }>('show', id)
  expect(events.slice(-3)).toMatchObject([
    { kind: 'attached', payload: { name: 'a.bin', size_bytes: 5, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } },
    { kind: 'attached', payload: { name: 'b ä.txt' } },
    { kind: 'detached', payload: { name: 'a.bin' } },
  ])
  expect((await cli.kanban('delete', id, '--yes')).code).toBe(0)
  expect(existsSync(dir)).toBe(false)
})

test('a name that is taken, too large a file and too many files are refused, and nothing is left', async () => {
  const cli = await withTask()
  using _ = cli
  const { id, file, dir } = cli
  writeFileSync(join(cli.home, 'config.yaml'), 'kanban: {attachment_max_bytes: 10}\n')
  const ten = file('ten', '0123456789')
  expect((await cli.kanban('attach', id, ten)).code).toBe(0)
  expect(await cli.kanban('attach', id, ten)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/has an attachment "ten" already[\s\S]*--name, or first: hermes kanban detach t_/),
  })
  expect(await cli.kanban('attach', id, file('eleven', '0123456789X'))).toMatchObject({
    code: 2,
    err: expect.stringMatching(/is larger than 10 bytes[\s\S]*attachment_max_bytes/),
  })
  for (let at = 1; at < 50; at++) await cli.json('attach', id, ten, '--name', `n${at}`)
  expect(await cli.kanban('attach', id, ten, '--name', 'more')).toMatchObject({
    code: 1,
    err: expect.stringContaining('has 50 attachments'),
  })
  expect(readdirSync(dir)).toHaveLength(50)
})

test.each(['../x', 'a/b', '.hidden', '', 'a\nb', 'a\u202eb', 'x'.repeat(121), '\u001b[2J'])(
  'the name %j is refused',
  async (name) => {
    const cli = await withTask()
    using _ = cli
    expect(await cli.kanban('attach', cli.id, cli.file('x', 'x'), `--name=${name}`)).toMatchObject({
      code: 1,
      err: expect.stringContaining('cannot be the name of an attachment'),
    })
    expect(existsSync(cli.dir)).toBe(false)
  },
)

test('links, FIFOs and files of the kernel are not attached', async () => {
  const cli = await withTask()
  using _ = cli
  const [link, fifo] = [join(cli.home, 'link'), join(cli.home, 'fifo')]
  symlinkSync('/etc/passwd', link)
  execFileSync('mkfifo', [fifo])
  for (const path of [link, fifo, '/proc/self/environ', '/dev/zero', join(cli.home, 'none'), cli.home])
    expect(await cli.kanban('attach', cli.id, path, '--name', 'x'), path).toMatchObject({ code: 2 })
  expect(await cli.list()).toEqual([])
})

test('files and links that an agent plants in the directory are neither listed, handed over nor followed', async () => {
  const cli = await withTask()
  using _ = cli
  const { id, file, dir } = cli
  const secret = file('secret', 'secret')
  const given = file('given', 'given!')
  await cli.json('attach', id, given)
  writeFileSync(join(dir, 'planted'), 'planted')
  expect(await cli.list()).toMatchObject([{ name: 'given' }])
  // Instead of the content: a link to a file of the same size, then a directory, then nothing.
  rmSync(join(dir, 'given'))
  symlinkSync(secret, join(dir, 'given'))
  expect(await cli.list()).toMatchObject([{ state: 'changed' }])
  expect(await cli.kanban('attachments', id, 'given', '-o', join(cli.home, 'out'))).toMatchObject({
    code: 1,
    err: expect.stringContaining('is a symbolic link'),
  })
  expect((await cli.kanban('prompt', id)).out).toBe('Check\n')
  rmSync(join(dir, 'given'))
  expect((await cli.kanban('show', id)).out).toContain('given (6 bytes), the file is missing\n')
  mkdirSync(join(dir, 'given', 'deep'), { recursive: true })
  expect((await cli.kanban('detach', id, 'given')).code).toBe(0)
  // A link under the name of a file that comes is replaced, not written through.
  symlinkSync(secret, join(dir, 'given'))
  await cli.json('attach', id, given)
  expect([readFileSync(secret, 'utf8'), readFileSync(join(dir, 'given'), 'utf8')]).toEqual(['secret', 'given!'])
  // Changed in place, to the same size.
  writeFileSync(join(dir, 'given'), 'GIVEN!')
  expect(await cli.kanban('attachments', id, 'given', '-o', join(cli.home, 'out'))).toMatchObject({
    code: 1,
    err: expect.stringContaining('has been changed since'),
  })
  // A link in place of the directory.
  const elsewhere = join(cli.home, 'elsewhere')
  mkdirSync(elsewhere)
  linkSync(secret, join(elsewhere, 'given'))
  rmSync(dir, { recursive: true })
  symlinkSync(elsewhere, dir)
  expect(await cli.list()).toMatchObject([{ state: 'missing' }])
  expect(await cli.kanban('attach', id, given, '--name', 'more')).toMatchObject({
    code: 1,
    err: expect.stringContaining('is a link'),
  })
  expect((await cli.kanban('delete', id, '--yes')).code).toBe(0)
  expect([existsSync(dir), readdirSync(elsewhere)]).toEqual([false, ['given']])
})

test('why and doctor name the attachments whose files are missing or changed', async () => {
  const cli = await withTask()
  using _ = cli
  const { id, file, dir, home, env } = cli
  const output = { out: () => undefined, err: () => undefined, closed: false }
  const doctor = () => checkBoard(makeContext({ env, bundleDir: home, profile: undefined, json: false, output }))
  expect(await doctor()).toEqual([])
  await cli.json('attach', id, file('a', 'a'), file('b', 'b'), file('c', 'c'))
  expect(await doctor()).toEqual([{ check: 'board', state: 'ok', text: 'the files of all 3 attachments are there' }])
  expect(await cli.json('why', id)).not.toHaveProperty('attachments')
  rmSync(join(dir, 'a'))
  expect((await cli.kanban('why', id)).out).toContain(
    `. ${dir}/a is missing: its worker does not get that attachment (hermes kanban attachments ${id})\n`,
  )
  writeFileSync(join(dir, 'b'), 'longer')
  expect(await cli.json('why', id)).toMatchObject({
    reason: 'unassigned',
    attachments: [
      { name: 'a', state: 'missing', path: join(dir, 'a') },
      { name: 'b', state: 'changed', path: join(dir, 'b') },
    ],
    text: expect.stringContaining(`${dir}/a is missing, ${dir}/b is changed: its worker does not get them`),
  })
  expect(await doctor()).toMatchObject([
    { state: 'warn', text: `board "default": an attachment of ${id} is missing: ${dir}/a` },
    { state: 'warn', text: `board "default": an attachment of ${id} is changed: ${dir}/b` },
  ])
  rmSync(join(home, 'kanban', 'attachments'), { recursive: true })
  expect(await doctor()).toHaveLength(3)
})

test('attachments go with a board that is renamed', async () => {
  const cli = await withTask()
  using _ = cli
  await cli.json('boards', 'create', 'one')
  const id = await cli.create('Check', '--board', 'one')
  await cli.json('attach', id, cli.file('x', 'x'), '--board', 'one')
  await cli.json('boards', 'rename', 'one', 'two')
  expect(await cli.json('attachments', id, '--board', 'two')).toMatchObject([
    { name: 'x', state: 'there', path: join(cli.home, 'kanban', 'boards', 'two', 'attachments', id, 'x') },
  ])
})

const program = join(import.meta.dirname, '../../support/programs/kanban/attach-and-die.ts')

test.each(['before-place', 'placed', 'before-discard'])(
  'killed at %s, no listed file lacks its content',
  async (at) => {
    const cli = await withTask()
    using _ = cli
    const { id, file, dir } = cli
    await cli.json('attach', id, file('kept', 'kept'))
    const ended = spawnSync(process.execPath, [program, cli.home, id, at], { encoding: 'utf8' })
    expect([ended.signal, ended.stderr]).toEqual(['SIGKILL', ''])
    // The one that was acknowledged is there, unless it was being detached; the new one is not listed.
    expect(await cli.list()).toMatchObject(at === 'before-discard' ? [] : [{ name: 'kept', state: 'there' }])
    // Leftovers take no name.
    await cli.json('attach', id, file('new', 'again'))
    expect(readFileSync(join(dir, 'new'), 'utf8')).toBe('again')
    if (at === 'before-discard') await cli.json('attach', id, file('kept', 'anew'))
    expect((await cli.list()).map(({ name, state }) => [name, state])).toEqual([
      ['kept', 'there'],
      ['new', 'there'],
    ])
  },
)
