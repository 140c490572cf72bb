import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { LoggedIn, Providers } from '../../api/contract.ts'
import { useApp } from '../app-context.ts'
import { Failure } from '../client/client.ts'
import { Button } from '../parts/button.tsx'
import { Field } from '../parts/field.tsx'
import { Trouble } from '../parts/trouble.tsx'
import { useLoaded } from '../stores/async.ts'

/** The ways in: a password, identity providers. After it the page is loaded afresh, with the session's token in its head. */
export function Login() {
  const { client, router } = useApp()
  const words = new URLSearchParams(location.search)
  const next = words.get('next') ?? undefined
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
        <p class="muted">Log in to see and steer this container.</p>
        {failure.value && <Trouble failure={failure.value} again={() => void reload()} />}
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
  const failure = useSignal<Failure | undefined>(undefined)
  const waitUntilMs = useSignal(0)
  const busy = useSignal(false)
  const waitS = Math.ceil((waitUntilMs.value - now.value) / 1000)
  useEffect(() => {
    if (waitS <= 0 && failure.peek()?.status === 429) failure.value = undefined
  }, [waitS, failure])
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault()
    const form = new FormData(event.currentTarget as HTMLFormElement)
    busy.value = true
    failure.value = undefined
    try {
      const answer = await client.send<LoggedIn>('POST', '/auth/password-login', {
        username: form.get('username'),
        password: form.get('password'),
        ...(next === undefined ? {} : { next }),
      })
      location.assign(answer.next)
    } catch (error) {
      busy.value = false
      if (!(error instanceof Failure)) throw error
      failure.value = error
      if (error.retryAfterS !== undefined) waitUntilMs.value = Date.now() + error.retryAfterS * 1000
    }
  }
  return (
    <form onSubmit={submit}>
      <Field label="Name">
        {(ids) => <input {...ids} name="username" autocomplete="username" required autofocus spellcheck={false} />}
      </Field>
      <Field label="Password">
        {(ids) => <input {...ids} name="password" type="password" autocomplete="current-password" required />}
      </Field>
      {failure.value && <Trouble failure={failure.value} />}
      <Button type="submit" tone="main" disabled={busy.value || waitS > 0}>
        {waitS > 0 ? `Try again in ${waitS} s` : 'Log in'}
      </Button>
    </form>
  )
}
