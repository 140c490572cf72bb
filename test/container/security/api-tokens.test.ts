// API tokens in a container: root makes them, and no process of the runtime user can.
import { expect, test } from 'vitest'
import { lives, startContainer } from '../../support/container/container.ts'
import { askHttp } from '../../support/dashboard/dashboard.ts'
import { readEvents } from '../../support/dashboard/event-stream.ts'
import { waitFor } from '../../support/wait.ts'

const DASHBOARD = {
  HERMES_DASHBOARD: '1',
  HERMES_DASHBOARD_BASIC_AUTH_USERNAME: 'me',
  HERMES_DASHBOARD_BASIC_AUTH_PASSWORD: 'a long one',
}
const FILE = '/var/lib/hermes-dashboard/tokens'

test('root alone makes and ends API tokens; a gateway can neither read them nor give itself one, and they outlive a restart', async () => {
  await using box = await startContainer({
    files: { 'config.yaml': lives(), desired_state: 'running\n' },
    env: DASHBOARD,
    publish: 9119,
  })
  await box.up('dashboard')
  let port = await box.port(9119)
  const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })
  const code = async (token: string): Promise<number> =>
    (await askHttp(port, '/api/profiles', { headers: bearer(token) })).code
  const create = async (name: string): Promise<string> =>
    (await box.ok('hermes', 'token', 'create', name, '--scope', 'read')).trim()
  const [stays, leaves] = [await create('stays'), await create('leaves')]
  expect([await code(stays), await code(leaves)]).toEqual([200, 200])
  expect(await box.ok('stat', '-c', '%U %a', FILE)).toBe('root 600\n')
  // root has written the list, but not the line in the volume.
  expect(await box.ok('stat', '-c', '%U %a', '/opt/data/logs/audit.log')).toBe('hermes 600\n')
  expect(JSON.parse(await box.ok('hermes', 'audit', '--json'))).toMatchObject([
    { actor: 'root', via: 'cli', action: 'token create', target: 'stays', result: 'done' },
    { action: 'token create', target: 'leaves' },
  ])

  const asHermes = (script: string) => box.exec(['sh', '-c', script], { user: 'hermes' })
  for (const command of ['create mine --scope admin', 'list', 'revoke stays'])
    expect(await asHermes(`hermes token ${command}`)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^hermes: the API tokens are in \S+, which only root may read and change\n/),
    })
  expect((await asHermes(`cat ${FILE}; echo {} >${FILE}; rm -rf /var/lib/hermes-dashboard; ls ${FILE}`)).stdout).toBe(
    '',
  )
  // Where a dashboard without root keeps them, this one does not look.
  const planted = `'${JSON.stringify({ version: 1, tokens: [] })}'`
  await asHermes(
    `echo ${planted} >/opt/data/dashboard.tokens; HERMES_HOME=/tmp/x hermes token create mine --scope admin`,
  )
  expect(await code(stays)).toBe(200)

  using stream = await readEvents(port, '/api/events', bearer(leaves))
  await box.ok('hermes', 'token', 'revoke', 'leaves')
  expect([await code(stays), await code(leaves)]).toEqual([200, 401])
  await waitFor('the stream of the revoked one to end', () => stream.ended)

  await box.docker('restart')
  await box.up('dashboard')
  port = await box.port(9119)
  expect([await code(stays), await code(leaves)]).toEqual([200, 401])
  // Damaged, it refuses all of them, and one line says why.
  await box.ok('sh', '-c', `echo x >${FILE}`)
  expect([await code(stays), await code(stays)]).toEqual([503, 503])
  await waitFor('the line', async () =>
    (await box.ok('cat', '/opt/data/logs/helpers/dashboard/current')).includes(`${FILE} is damaged`),
  )
})
