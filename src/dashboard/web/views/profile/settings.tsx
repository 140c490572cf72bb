import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type { Config, ConfigProblems, ConfigWritten } from '../../../contract/settings.ts'
import { Failure } from '../../client/client.ts'
import { plural } from '../../core/format.ts'
import { Button } from '../../parts/button.tsx'
import { FailureMessage } from '../../parts/failure.tsx'
import { useApp } from '../../stores/app-context.ts'
import { useLoaded } from '../../stores/async.ts'
import { DeleteProfile } from './delete-profile.tsx'

const VALIDATE_AFTER_MS = 300

/** config.yaml of a profile, and its end. */
export function Settings({ profile }: { readonly profile: string }) {
  const { client } = useApp()
  const file = useLoaded(profile, () => client.get<Config>('/api/config', { profile }))
  if (file.failure.value) return <FailureMessage failure={file.failure.value} again={() => void file.reload()} />
  if (file.value.value === undefined) return null
  return (
    <div class="settings">
      <ConfigEditor key={file.value.value.version} profile={profile} file={file.value.value} reload={file.reload} />
      {profile !== 'default' && <DeleteProfile profile={profile} />}
    </div>
  )
}

interface ConfigEditorProps {
  readonly profile: string
  readonly file: Config
  readonly reload: () => Promise<void>
}

function ConfigEditor({ profile, file, reload }: ConfigEditorProps) {
  const { client, notices } = useApp()
  const text = useSignal(file.text)
  const version = useSignal(file.version)
  const saved = useSignal(file.text)
  const problems = useSignal<readonly string[]>(file.problems)
  const conflict = useSignal(false)
  const busy = useSignal(false)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])

  const edit = (now: string): void => {
    text.value = now
    clearTimeout(timer.current)
    timer.current = setTimeout(async () => {
      try {
        const answer = await client.send<ConfigProblems>('POST', '/api/config/validate', { text: now })
        if (text.peek() === now) problems.value = answer.problems
      } catch (error) {
        notices.failed(error)
      }
    }, VALIDATE_AFTER_MS)
  }
  const save = async (overwrite = false): Promise<void> => {
    busy.value = true
    // Text typed from here on is not in the file.
    const sent = text.value
    try {
      if (overwrite) version.value = (await client.get<Config>('/api/config', { profile })).version
      const answer = await client.send<ConfigWritten>('PATCH', '/api/config', {
        profile,
        text: sent,
        version: version.value,
      })
      if (text.value === sent) problems.value = answer.problems
      if (answer.version === version.value && sent !== saved.value) {
        notices.failed(new Failure(409, { error: 'problems', detail: 'not saved: the file has problems' }))
        return
      }
      version.value = answer.version
      saved.value = sent
      conflict.value = false
      notices.done(`config.yaml of ${profile} is saved; most keys take effect at the next start`)
    } catch (error) {
      const changedMeanwhile = error instanceof Failure && error.status === 409
      if (changedMeanwhile) conflict.value = true
      else notices.failed(error)
    } finally {
      busy.value = false
    }
  }
  const dirty = text.value !== saved.value
  return (
    <section class="editor" aria-labelledby="editor-title">
      <header>
        <h2 id="editor-title" class="section-title">
          config.yaml
        </h2>
        <span class="muted">{dirty ? 'changed, not saved' : 'as in the file'}</span>
        <Button tone="main" disabled={!dirty || busy.value} onClick={() => void save()}>
          Save
        </Button>
      </header>
      {conflict.value && (
        <div class="trouble" role="alert">
          <p>The file has changed since it was read here.</p>
          <div class="actions">
            <Button onClick={() => void reload()}>Take the file, drop my changes</Button>
            <Button tone="danger" onClick={() => void save(true)}>
              Keep mine, write over the file
            </Button>
          </div>
        </div>
      )}
      <CodeArea text={text.value} onInput={edit} onSave={() => void save()} />
      <output class={problems.value.length > 0 ? 'problems' : 'problems none'}>
        {problems.value.length === 0 ? (
          'No problems.'
        ) : (
          <>
            {plural(problems.value.length, 'problem')}
            <ul>
              {problems.value.map((problem) => (
                <li key={problem}>{problem}</li>
              ))}
            </ul>
          </>
        )}
      </output>
    </section>
  )
}

interface CodeAreaProps {
  readonly text: string
  readonly onInput: (text: string) => void
  readonly onSave: () => void
}

/** A plain text area (Tab leaves it, as everywhere) with the numbers that problems name. */
function CodeArea({ text, onInput, onSave }: CodeAreaProps) {
  const numbers = useRef<HTMLPreElement>(null)
  const lines = text.split('\n').length
  return (
    <div class="code">
      <pre ref={numbers} aria-hidden="true">
        {Array.from({ length: lines }, (_, index) => index + 1).join('\n')}
      </pre>
      <textarea
        aria-label="config.yaml"
        spellcheck={false}
        autocapitalize="off"
        wrap="off"
        value={text}
        onInput={(event) => onInput(event.currentTarget.value)}
        onScroll={(event) => {
          if (numbers.current) numbers.current.scrollTop = event.currentTarget.scrollTop
        }}
        onKeyDown={(event) => {
          if (event.key !== 's' || !(event.ctrlKey || event.metaKey)) return
          event.preventDefault()
          onSave()
        }}
      />
    </div>
  )
}
