import { type ReadonlySignal, signal } from '@preact/signals'

export type Theme = 'light' | 'dark'
/** `auto`: as the system has it. */
export type ThemeChoice = Theme | 'auto'

const KEY = 'hermes-theme'
const CHOICES: readonly ThemeChoice[] = ['auto', 'light', 'dark']

export interface ThemeStore {
  readonly choice: ReadonlySignal<ThemeChoice>
  /** auto → light → dark → auto. */
  next(): void
}

/** Sets the choice on the document; the style sheet does the rest. */
export function createTheme(root: HTMLElement): ThemeStore {
  const choice = signal<ThemeChoice>(CHOICES.find((one) => one === read()) ?? 'auto')
  const apply = (): void => {
    if (choice.value === 'auto') root.removeAttribute('data-theme')
    else root.setAttribute('data-theme', choice.value)
  }
  apply()
  return {
    choice,
    next() {
      choice.value = CHOICES[(CHOICES.indexOf(choice.value) + 1) % CHOICES.length] ?? 'auto'
      apply()
      write(choice.value)
    },
  }
}

function read(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null // storage is switched off in this browser: the system's theme, then
  }
}

function write(choice: ThemeChoice): void {
  try {
    localStorage.setItem(KEY, choice)
  } catch {
    // As above: the choice lasts until the page is left.
  }
}
