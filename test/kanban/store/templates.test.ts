/** `hermes kanban template`, and `create --template`. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { kanbanCli } from '../../support/kanban/cli.ts'

test('a task of a template has its title, instructions and options, with the values that were given', async () => {
  using cli = kanbanCli(['coder', 'writer'])
  const body = join(cli.home, 'body.txt')
  writeFileSync(body, 'Look at {{ host }} in {{region}}.\nLeave {this} and {{ }} alone.\n')
  const options = ['--body-file', body, '--assignee', 'coder', '--priority', '3', '--max-runtime', '30m', '--once']
  const file = join(cli.home, 'kanban', 'templates', 'disk.json')
  expect(await cli.kanban('template', 'create', 'Disk', 'Measure', '{{host}}', ...options)).toMatchObject({
    code: 0,
    out: `template "disk" created: ${file}\n`,
  })
  expect((await cli.kanban('template', 'list')).out).toMatch(
    /^NAME +PLACES +TITLE\ndisk +host, region +Measure \{\{host\}\}\n$/,
  )
  expect((await cli.kanban('template', 'show', 'disk')).out).toBe(
    'disk  Measure {{host}}\n  --assignee coder\n  --priority 3\n  --max-runtime 30m\n  --once\n\n' +
      'Look at {{ host }} in {{region}}.\nLeave {this} and {{ }} alone.\n',
  )
  const id = await cli.create('--template', 'disk', '--set', 'host=db1, host 2,region=eu=west')
  expect(await cli.json('show', id)).toMatchObject({
    title: 'Measure db1, host 2',
    body: 'Look at db1, host 2 in eu=west.\nLeave {this} and {{ }} alone.\n',
    assignee: 'coder',
    priority: 3,
    max_runtime: 1_800_000,
    once: true,
  })
  const other = await cli.create(
    'Another',
    'title',
    '--template',
    'disk',
    '--body',
    'x',
    '-a',
    'writer',
    '--priority',
    '0',
  )
  expect(await cli.json('show', other)).toMatchObject({
    title: 'Another title',
    body: 'x',
    assignee: 'writer',
    priority: 0,
  })
  expect((await cli.kanban('template', 'delete', 'disk')).out).toBe('template "disk" deleted\n')
  expect((await cli.kanban('template', 'list')).out).toBe('no templates\n')
})

test('a value that is missing or not wanted is named, and no task is made', async () => {
  using cli = kanbanCli()
  await cli.kanban('template', 'create', 'disk', 'Measure {{host}} in {{region}}')
  for (const [args, code, message] of [
    [
      ['--template', 'disk'],
      2,
      'the template "disk" needs a value for host, region\n  next: --set host=VALUE,region=VALUE',
    ],
    [
      ['--template', 'disk', '--set', 'host=a,region=b,size=c'],
      2,
      'the template "disk" has no place {{size}}\n  next: its places: host, region',
    ],
    [['--template', 'disk', '--set', 'host'], 2, '--set takes NAME=VALUE,…, not "host"'],
    [['x', '--set', 'host=a'], 2, '--set needs --template'],
    [['--template', 'disc', '--set', 'host=a'], 1, 'no template "disc"\n  next: did you mean "disk"?'],
    [['--template', '../disk'], 1, '"../disk" cannot be the name of a template'],
  ] as const) {
    const said = await cli.kanban('create', ...args)
    expect(said, said.err).toMatchObject({ code, out: '' })
    expect(said.err).toContain(message)
  }
  expect(await cli.json('list')).toEqual([])
})

test('a template is refused if its tasks could not be made, or its name is taken', async () => {
  using cli = kanbanCli()
  expect((await cli.kanban('template', 'create', 'disk', 'Measure')).code).toBe(0)
  for (const [args, code, message] of [
    [['create', 'disk', 'again'], 1, 'the template "disk" is there already'],
    [['create', 'a', 'x', '--assignee', 'nosuch'], 3, 'nosuch'],
    [['create', 'b', 'x', '--priority', 'high'], 2, '--priority must be a whole number'],
    [['create', 'c', 'x', '--once', '--max-retries', '2'], 2, 'started at most once'],
    [['create', 'd'], 2, 'a task needs a title'],
    [['show'], 2, 'requires the name of a template'],
    [['list', '--priority', '3'], 2, 'takes no title and no options of a task'],
    [['delete', 'e'], 1, 'no template "e"'],
  ] as const) {
    const said = await cli.kanban('template', ...args)
    expect(said, said.err).toMatchObject({ code, out: '' })
    expect(said.err).toContain(message)
  }
  expect((await cli.json<{ name: string }[]>('template', 'list')).map(({ name }) => name)).toEqual(['disk'])
})

test('a file that is not a template is named', async () => {
  using cli = kanbanCli()
  mkdirSync(join(cli.home, 'kanban', 'templates'), { recursive: true })
  const file = join(cli.home, 'kanban', 'templates', 'broken.json')
  for (const text of ['{', '{"title":1,"options":{}}', '{"title":"x","options":{"priority":3}}', 'null']) {
    writeFileSync(file, text)
    const said = await cli.kanban('create', '--template', 'broken')
    expect(said).toMatchObject({ code: 1, out: '' })
    expect(said.err).toContain(`${file} is not a template`)
  }
})
