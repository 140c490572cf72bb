import { type ReadonlySignal, signal } from '@preact/signals'
import { Failure } from '../client/client.ts'

export interface Notice {
  readonly id: number
  readonly tone: 'done' | 'failed'
  readonly text: string
  readonly next?: string
}

const SHOWN_MS = 6_000
const FAILURE_SHOWN_MS = 12_000
const MOST = 4

export interface Notices {
  readonly list: ReadonlySignal<readonly Notice[]>
  done(text: string): void
  failed(error: unknown): void
  dismiss(id: number): void
}

/** Messages about successes and refusals, shown in a corner for a while. */
export function createNotices(): Notices {
  const list = signal<readonly Notice[]>([])
  let last = 0
  const dismiss = (id: number): void => {
    list.value = list.value.filter((notice) => notice.id !== id)
  }
  const show = (notice: Omit<Notice, 'id'>): void => {
    const id = ++last
    list.value = [...list.value, { ...notice, id }].slice(-MOST)
    setTimeout(() => dismiss(id), notice.tone === 'failed' ? FAILURE_SHOWN_MS : SHOWN_MS)
  }
  return {
    list,
    dismiss,
    done: (text) => show({ tone: 'done', text }),
    failed(error) {
      if (!(error instanceof Failure)) throw error // a bug of ours belongs in the console
      if (error.status === 401) return // the page is on its way to the log-in
      show({ tone: 'failed', text: error.message, ...(error.next === undefined ? {} : { next: error.next }) })
    },
  }
}
