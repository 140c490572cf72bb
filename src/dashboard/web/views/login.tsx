import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { LoggedIn, Providers } from '../../contract/access.ts'
import { takeForm } from '../client/form.ts'
import { Button } from '../parts/button.tsx'
import { FailureMessage } from '../parts/failure.tsx'
import { Field } from '../parts/field.tsx'
import { useApp } from '../stores/app-context.ts'
import { useLoaded, useWork } from '../stores/async.ts'

/**
 * The ways in: a password, identity providers. After it the page is loaded afresh, with the session's token in its
 * head.
 */
export function Login() {
  const { client, router } = useApp()
  const query = new URLSearchParams(location.search)
  const next = query.get('next') ?? undefined
  const { value, failure, reload } = useLoaded('providers', () => client.get<Providers>('/api/auth/providers'))
  const providers = value.value?.providers ?? []
  const away = providers.filter(({ kind }) => kind === 'oidc')
  const goOn = next === undefined ? '' : `&next=${encodeURIComponent(next)}`
  return (
    <main class="login">
      <div class="login-card">
        <h1>
          <span class="brand-mark" aria-hidden="true" />
          hermes
        </h1>
        <p class="muted">Log in to view and manage this container.</p>
        {failure.value && <FailureMessage failure={failure.value} again={() => void reload()} />}
        {providers.some(({ kind }) => kind === 'password') && <PasswordForm next={next} />}
        {away.length > 0 && providers.length > away.length && <p class="or">or</p>}
        {away.map(({ name, label }) => (
          <a
            key={name}
            class="button wide"
            href={router.href(`/auth/login?provider=${encodeURIComponent(name)}${goOn}`)}
          >
            Continue with {label}
          </a>
        ))}
      </div>
    </main>
  )
}

function PasswordForm({ next }: { readonly next: string | undefined }) {
  const { client, now } = useApp()
  const { busy, failure, run } = useWork()
  const waitUntilMs = useSignal(0)
  const waitS = Math.ceil((waitUntilMs.value - now.value) / 1000)
  useEffect(() => {
    const { retryAfterS } = failure.value ?? {}
    if (retryAfterS !== undefined) waitUntilMs.value = Date.now() + retryAfterS * 1000
  }, [failure.value, waitUntilMs])
  const submit = (event: SubmitEvent): Promise<void> => {
    const { exact } = takeForm(event)
    return run(async () => {
      const answer = await client.send<LoggedIn>('POST', '/auth/password-login', {
        username: exact('username'),
        password: exact('password'),
        ...(next === undefined ? {} : { next }),
      })
      location.assign(answer.next)
    })
  }
  return (
    <form onSubmit={submit}>
      <Field label="Name">
        {(ids) => <input {...ids} name="username" autocomplete="username" required autofocus spellcheck={false} />}
      </Field>
      <Field label="Password">
        {(ids) => <input {...ids} name="password" type="password" autocomplete="current-password" required />}
      </Field>
      {failure.value && <FailureMessage failure={failure.value} />}
      <Button type="submit" tone="main" disabled={busy.value || waitS > 0}>
        {waitS > 0 ? `Try again in ${waitS} s` : 'Log in'}
      </Button>
    </form>
  )
}
