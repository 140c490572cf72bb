import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { Button } from '../parts/button.tsx'
import { useApp } from '../stores/app-context.ts'

/** `hermes chat` in the container. The emulator is a separate part that only this view loads. */
export function Terminal() {
  const { client } = useApp()
  const box = useRef<HTMLDivElement>(null)
  const ended = useSignal<string | undefined>(undefined)
  const round = useSignal(0)
  useEffect(() => {
    const closing = new AbortController()
    const open = async (): Promise<void> => {
      const { openTerminal } = await import('../client/terminal-session.ts')
      if (closing.signal.aborted || box.current === null) return
      openTerminal(box.current, client, closing.signal, (why) => {
        ended.value = why
      })
    }
    void open()
    return () => closing.abort()
  }, [round.value, client])
  return (
    <div class="page fills terminal-page">
      <header class="page-head">
        <h1>Terminal</h1>
        {ended.value !== undefined && (
          <div class="actions">
            <span class="muted">{ended.value}</span>
            <Button
              tone="main"
              onClick={() => {
                ended.value = undefined
                round.value += 1
              }}
            >
              Open again
            </Button>
          </div>
        )}
      </header>
      <div ref={box} class="terminal-box" key={round.value} />
    </div>
  )
}
