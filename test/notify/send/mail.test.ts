import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { expect, test } from 'vitest'
import { send } from '../../../src/notify/send/send.ts'
import type { MailTarget } from '../../../src/profile/config/kinds/notify-kinds.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { startMailServer } from '../../support/notify/mail-server.ts'
import { scratchDir } from '../../support/scratch.ts'

const target = (url: string, secretEnv: string | null = null): MailTarget => ({
  name: 'ops',
  to: 'mail',
  events: [],
  profiles: null,
  address: { value: url },
  secretEnv,
  sender: 'hermes@example.com',
  recipients: ['ops@example.com', 'night@example.com'],
})
const notification = {
  id: 'an-id',
  event: 'parked',
  severity: 'error',
  at: '2026-01-01T00:00:00.000Z',
  slot: 'gateway-coder',
  text: 'gateway-coder is parked: it wrote "größer"\n.\nfix it',
  count: 1,
} as const
const sendTo = (to: MailTarget, env: Readonly<Record<string, string>> = {}, signal = new AbortController().signal) =>
  send(to, notification, { home: '/', env, clock: systemClock(), signal })

test('a mail has its recipients, a subject, the text and the id of the message', async () => {
  await using server = await startMailServer()
  expect(await sendTo(target(`smtp://${server.host}`))).toEqual({
    is: 'delivered',
    text: `smtp://${server.host} took it`,
  })
  expect(server.mails.map(({ user, recipients }) => [user, recipients])).toEqual([
    [undefined, ['ops@example.com', 'night@example.com']],
  ])
  const { raw = '' } = server.mails[0] ?? {}
  for (const header of [
    'From: Hermes <hermes@example.com>',
    'To: ops@example.com, night@example.com',
    'Subject: hermes: parked: gateway-coder',
    'Message-ID: <an-id@hermes>',
    'X-Hermes-Delivery: an-id',
    'Auto-Submitted: auto-generated',
    'Date: Thu, 01 Jan 2026 00:00:00 +0000',
  ])
    expect(raw.split('\r\n')).toContain(header)
  expect(raw).toContain('gr=C3=B6=C3=9Fer')
  // A line of one dot would end the mail.
  expect(raw).toMatch(/\r\n\.\r\nfix it\r\n$/)
})

test('an answer is read as the protocol has it, and no text of the server is shown', async () => {
  const answering = async (responseCode: number) => {
    await using server = await startMailServer({
      onRcptTo: (_address, _session, done) => done(Object.assign(new Error('SECRET'), { responseCode })),
    })
    const { is, text } = await sendTo(target(`smtp://${server.host}`))
    return [is, text.replace(server.host, 'HOST')]
  }
  expect(await answering(450)).toEqual(['failed', 'smtp://HOST answered 450'])
  expect(await answering(550)).toEqual(['refused', 'smtp://HOST answered 550'])
  expect(await sendTo(target('smtp://127.0.0.1:1'))).toEqual({
    is: 'failed',
    text: 'smtp://127.0.0.1:1 cannot be reached: ECONNREFUSED',
  })
})

test('a user and a password are sent only through TLS, to a server whose certificate is trusted', async () => {
  const tried: (readonly [string | undefined, string | undefined])[] = []
  const onAuth: NonNullable<Parameters<typeof startMailServer>[0]>['onAuth'] = (auth, _session, done) => {
    tried.push([auth.username, auth.password ?? undefined])
    if (auth.password === 'pä ss') done(null, { user: auth.username })
    else done(Object.assign(new Error('no'), { responseCode: 535 }))
  }
  const env = { PW: 'pä ss', WRONG: 'x' }
  {
    await using plain = await startMailServer({ onAuth, allowInsecureAuth: true })
    expect(await sendTo(target(`smtp://us%40er@${plain.host}`, 'PW'), env)).toEqual({
      is: 'failed',
      text: `smtp://${plain.host} offers no TLS, without which no password is sent`,
    })
    expect([tried, plain.mails]).toEqual([[], []])
  }
  const { key, cert } = certificate()
  await using starttls = await startMailServer({ onAuth, key, cert })
  expect(await sendTo(target(`smtp://us%40er@${starttls.host}`, 'PW'), env)).toEqual({
    is: 'failed',
    text: `smtp://${starttls.host} cannot be reached: self-signed certificate`,
  })
  expect([tried, starttls.mails]).toEqual([[], []])

  const trusted = getCACertificates('default')
  setDefaultCACertificates([cert])
  try {
    expect(await sendTo(target(`smtp://us%40er@${starttls.host}`, 'WRONG'), env)).toEqual({
      is: 'refused',
      text: `smtp://${starttls.host} answered 535`,
    })
    expect(await sendTo(target(`smtp://us%40er@${starttls.host}`, 'PW'), env)).toMatchObject({ is: 'delivered' })
    await using secure = await startMailServer({ onAuth, key, cert, secure: true })
    expect(await sendTo(target(`smtps://us%40er:p%C3%A4%20ss@${secure.host}`))).toMatchObject({ is: 'delivered' })
    expect([...starttls.mails, ...secure.mails].map(({ user }) => user)).toEqual(['us@er', 'us@er'])
  } finally {
    setDefaultCACertificates(trusted)
  }
})

test('a server that takes nothing is not waited for once the notifier ends', async () => {
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
  await using server = await startMailServer({ onMailFrom: () => reach() })
  const ending = new AbortController()
  const sending = sendTo(target(`smtp://${server.host}`), {}, ending.signal)
  await reached
  ending.abort()
  expect(await sending).toEqual({
    is: 'failed',
    text: `smtp://${server.host} was not waited for, because the notifier ends`,
  })
})

/** Of 127.0.0.1, signed by itself. */
function certificate(): { readonly key: string; readonly cert: string } {
  const dir = scratchDir('hermes-mail-')
  const [key, cert] = [join(dir, 'key'), join(dir, 'cert')]
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'].concat([
      '-subj',
      '/CN=127.0.0.1',
      '-addext',
      'subjectAltName=IP:127.0.0.1',
      '-keyout',
      key,
      '-out',
      cert,
    ]),
    { stdio: 'ignore' },
  )
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
}
