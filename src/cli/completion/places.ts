/** Where shells look for completion scripts. */
import { join } from 'node:path'
import type { Environment } from '../../system/programs/install.ts'
import type { Shell } from './script.ts'

/** In /usr/share of Debian, and so of the image; in share/ of a build. */
export const PLACES: Readonly<Record<Shell, string>> = {
  bash: 'bash-completion/completions/hermes',
  zsh: 'zsh/vendor-completions/_hermes',
  fish: 'fish/vendor_completions.d/hermes.fish',
}

export const imageFile = (shell: Shell): string => join('/usr/share', PLACES[shell])

export interface Place {
  readonly env: Environment
  readonly home: string
  readonly isRoot: boolean
}

/** A directory in which the shell looks by itself; zsh has none for a user. */
export function placeOf(shell: Shell, { env, home, isRoot }: Place): string {
  const share = isRoot ? '/usr/local/share' : env.XDG_DATA_HOME || join(home, '.local', 'share')
  switch (shell) {
    case 'bash':
      return join((!isRoot && env.BASH_COMPLETION_USER_DIR) || join(share, 'bash-completion'), 'completions', 'hermes')
    case 'zsh':
      return join(share, 'zsh', 'site-functions', '_hermes')
    case 'fish':
      return join(isRoot ? '/etc' : env.XDG_CONFIG_HOME || join(home, '.config'), 'fish', 'completions', 'hermes.fish')
  }
}
