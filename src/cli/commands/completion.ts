import type { Command } from '../context/command.ts'
import { completionScript, SHELLS } from '../parser/completion.ts'

/** Made from all commands, so it is given them. */
export const completionCommand = (
  tree: () => Parameters<typeof completionScript>[1],
  groups: Parameters<typeof completionScript>[2],
): Command => ({
  path: 'completion',
  summary: 'Print a completion script for a shell',
  arguments: [{ name: 'SHELL', help: 'name of the shell: bash, zsh or fish', kind: 'required', choices: SHELLS }],
  details: 'In bash: source <(hermes completion bash)',
  run: (_, input) => {
    const shell = SHELLS.find((one) => one === input.args[0]) ?? 'bash'
    const script = completionScript(shell, tree(), groups)
    return { text: script, json: { shell, script } }
  },
})
