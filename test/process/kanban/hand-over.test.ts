// Tasks that build on each other, with the real programs: init, supervisor, dispatcher, and agents that are programs.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hermes as hermesCommand } from '../../support/cli.ts'
import { startUpstream } from '../../support/dashboard/openai-upstream.ts'
import { startHermes } from '../../support/hermes.ts'
import { waitFor } from '../../support/wait.ts'

const agent = join(import.meta.dirname, '../../support/programs/chain-agent')
const gateway = { command: ['sleep', '100000'] }

test('three tasks in a row: results, the cause of a failure and a reviewer’s request reach who comes next; 1 MB is cut', {
  timeout: 300_000,
}, async () => {
  const kept = mkdtempSync(join(tmpdir(), 'hermes-handed-'))
  const home = join(kept, 'home')
  mkdirSync(home)
  writeFileSync(
    join(home, 'config.yaml'),
    JSON.stringify({ gateway, kanban: { dispatch_interval_seconds: 1, failure_limit: 5, require_review: true } }),
  )
  for (const name of ['measure', 'report', 'print']) {
    mkdirSync(join(home, 'profiles', name), { recursive: true })
    const command = [agent, kept, '{context}', ...(name === 'print' ? ['{prompt}'] : [])]
    writeFileSync(join(home, 'profiles', name, 'config.yaml'), JSON.stringify({ gateway, agent: { command } }))
  }
  const kanban = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await hermesCommand(['kanban', ...args, '--json'], { home })
    if (code !== 0) throw new Error(`hermes kanban ${args.join(' ')}: ${stderr}`)
    return JSON.parse(stdout) as { id: string; status: string; result?: string }
  }
  const inReview = (id: string) =>
    waitFor(`${id} to be in review`, async () => (await kanban('show', id)).status === 'review', { deadlineMs: 60_000 })
  /** The files of one kind that the runs of a profile left, oldest first. */
  const handed = (profile: string, what: string): readonly string[] =>
    readdirSync(kept)
      .filter((name) => name.startsWith(`${profile}-`) && name.endsWith(`.${what}`))
      .sort((a, b) => Number(/\d+/.exec(a)?.[0]) - Number(/\d+/.exec(b)?.[0]))
      .map((name) => readFileSync(join(kept, name), 'utf8'))
  try {
    await using hermes = await startHermes({ profiles: [], home, keepHome: true })
    const { id: first } = await kanban('create', 'Measure the disk', '-a', 'measure')
    const { id: second } = await kanban('create', 'Write the report', '-a', 'report', '--parent', first)
    const { id: third } = await kanban('create', 'Print the report', '-a', 'print', '--parent', second)

    const list = join(kept, 'list.csv')
    writeFileSync(list, 'one, two')
    await kanban('attach', third, list)

    await inReview(first)
    expect(handed('measure', 'stdin')).toEqual(['Measure the disk'])
    await kanban('complete', first)
    await inReview(second)
    await kanban('request-changes', second, 'name the unit')
    await waitFor('the third run of the second task', () => handed('report', 'file').length === 3, {
      deadlineMs: 60_000,
    })
    await inReview(second)
    await kanban('complete', second, '--result', 'The disk holds 42 GB.')
    await inReview(third)

    const [begun = '', again = '', last = ''] = handed('report', 'stdin')
    expect(begun).toMatch(/^Write the report\n\n# Results .*\n\n## t_\w+: Measure the disk\n\nmeasure: 42 GB$/)
    expect(again).toContain('ended as crashed\n\nexit code 3: no space left\n\nlooked at the disk\nno space left')
    expect(again).not.toContain('name the unit')
    expect(last).toMatch(/ended as completed\n\nreport: 42 GB\n\n## .* requests changes\n\nname the unit$/)
    expect(handed('print', 'argument')).toEqual([expect.stringContaining('\n\nThe disk holds 42 GB.')])
    expect(handed('print', 'stdin')).toEqual([''])
    const attached = join(home, 'kanban', 'attachments', third, 'list.csv')
    expect(handed('print', 'argument')[0]).toContain(`# Files of this task\n\n- ${attached} (8 bytes)\n\n# Results`)
    expect(JSON.parse(handed('print', 'json')[0] ?? '')).toMatchObject({
      attachments: [{ name: 'list.csv', size_bytes: 8, path: attached }],
    })
    expect(JSON.parse(handed('report', 'json')[2] ?? '')).toMatchObject({
      version: 1,
      board: 'default',
      task: { id: second, title: 'Write the report' },
      parents: [{ id: first, status: 'done', result: 'measure: 42 GB' }],
      attempts: [{ outcome: 'crashed', exit_code: 3 }, { outcome: 'completed' }],
      change_requests: [{ text: 'name the unit' }],
      prompt: last,
    })
    for (const file of handed('report', 'file'))
      expect(file).toMatch(
        new RegExp(`^${home}/kanban/contexts/job-${second}-\\d+\\.json 600 ${process.getuid?.()}\\n$`),
      )

    const long = join(kept, 'long')
    writeFileSync(long, 'x'.repeat(1_000_000))
    const { id: big } = await kanban('create', 'Read it all', '--body-file', long)
    await kanban('complete', big, '--result-file', long)
    const { id: reader } = await kanban('create', 'Sum it up', '-a', 'measure', '--parent', big)
    await inReview(reader)
    const cut = handed('measure', 'stdin').at(-1) ?? ''
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(65_536)
    expect(cut).toMatch(
      /^Sum it up\n\n# Results .*\n\n## t_\w+: Read it all\n\nx{64000,}\n\[… the first 6\d{4} of 1000000 bytes\]\n/,
    )
    expect(cut).toContain('cut to fit kanban.context_max_bytes: 1 text was shortened.')
    const { parents } = JSON.parse(handed('measure', 'json').at(-1) ?? '') as { parents: { result: string }[] }
    expect(parents[0]?.result).toHaveLength(1_000_000)

    await waitFor('the files of the runs to be gone', () => readdirSync(join(home, 'kanban', 'contexts')).length === 0)
    expect(await hermes.stop()).toBe(0)
  } finally {
    rmSync(kept, { recursive: true, force: true })
  }
})

test('an agent of an OpenAI endpoint answers with the result that the schema asks for; any other answer is a failure', {
  timeout: 300_000,
}, async () => {
  const home = mkdtempSync(join(tmpdir(), 'hermes-typed-'))
  try {
    await using upstream = await startUpstream({ do: 'answer', pieces: ['{"size": ', '"42"}'] })
    const openai = { base_url: upstream.baseUrl, model: 'test', api_key_env: 'TEST_KEY' }
    const kanban = { dispatch_interval_seconds: 1, failure_limit: 5 }
    writeFileSync(join(home, 'config.yaml'), JSON.stringify({ gateway, kanban }))
    mkdirSync(join(home, 'profiles', 'model'), { recursive: true })
    writeFileSync(join(home, 'profiles', 'model', 'config.yaml'), JSON.stringify({ gateway, agent: { openai } }))
    writeFileSync(join(home, 'profiles', 'model', '.env'), 'TEST_KEY=neutral\n')
    const schema = join(home, 'schema.json')
    writeFileSync(schema, '{"type":"object","properties":{"size":{"type":"integer"}}}')
    const json = async (...args: readonly string[]) =>
      JSON.parse((await hermesCommand(['kanban', ...args, '--json'], { home })).stdout)
    await using hermes = await startHermes({ profiles: [], home, keepHome: true })
    const { id } = await json('create', 'Measure', '-a', 'model', '--result-schema', schema)
    await waitFor('a first failure', async () => (await json('show', id)).failures >= 1, { deadlineMs: 60_000 })
    upstream.behave({ do: 'answer', pieces: ['```json\n{"size": 42}\n', '```'] })
    await waitFor('the task to be done', async () => (await json('show', id)).status === 'done', { deadlineMs: 60_000 })
    const { runs, ...task } = await json('show', id)
    expect(task).toMatchObject({ result: '{"size":42}', result_json: { size: 42 } })
    expect(runs.at(-1)).toMatchObject({
      outcome: 'crashed',
      summary: expect.stringContaining(
        `the answer does not fit the schema of ${id}: /size must be integer, but is "42"`,
      ),
    })
    const prompts = upstream.requests.map(({ body }) => String(body.messages.at(-1)?.content))
    expect(prompts[0]).toContain('Answer with a JSON value that fits this JSON Schema')
    expect(prompts.at(-1)).toContain('/size must be integer, but is "42"')
    expect(await hermes.stop()).toBe(0)
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
})
