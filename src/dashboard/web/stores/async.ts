import { type Signal, signal, useSignal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import { Failure } from '../client/client.ts'

/** A value loaded from the server; it stays while it is loaded again. */
export interface Loaded<T> {
  readonly value: Signal<T | undefined>
  readonly failure: Signal<Failure | undefined>
  reload(): Promise<void>
}

/**
 * Loads when the view appears and when `key` changes; an answer that a later question overtook is dropped.
 * @param known the value, if it is known already: then nothing is loaded
 */
export function useLoaded<T>(key: string, load: () => Promise<T>, known?: T): Loaded<T> {
  const loaded = useMemo(() => createLoaded(load, known), [key])
  useEffect(() => {
    if (loaded.value.value === undefined) void loaded.reload()
  }, [loaded])
  return loaded
}

/** Likewise, and loads again some time after each answer, while the page is seen. */
export function usePolled<T>(key: string, load: () => Promise<T>, everyMs: number, known?: T): Loaded<T> {
  const loaded = useLoaded(key, load, known)
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>
    let ended = false
    const again = async (): Promise<void> => {
      if (!document.hidden) await loaded.reload()
      if (!ended) timer = setTimeout(again, everyMs)
    }
    timer = setTimeout(again, everyMs)
    return () => {
      ended = true
      clearTimeout(timer)
    }
  }, [loaded, everyMs])
  return loaded
}

function createLoaded<T>(load: () => Promise<T>, known: T | undefined): Loaded<T> {
  const value = signal<T | undefined>(known)
  const failure = signal<Failure | undefined>(undefined)
  let last = 0
  return {
    value,
    failure,
    async reload() {
      const mine = ++last
      try {
        const answer = await load()
        if (mine !== last) return
        value.value = answer
        failure.value = undefined
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        if (mine === last) failure.value = error
      }
    },
  }
}

/** The submission of a form: the server's refusal is kept and shown next to it. */
export interface Work {
  readonly busy: Signal<boolean>
  readonly failure: Signal<Failure | undefined>
  run(work: () => Promise<void>): Promise<void>
}

export function useWork(): Work {
  const busy = useSignal(false)
  const failure = useSignal<Failure | undefined>(undefined)
  return {
    busy,
    failure,
    async run(work) {
      busy.value = true
      failure.value = undefined
      try {
        await work()
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        failure.value = error
      } finally {
        busy.value = false
      }
    },
  }
}
