import { completionScript, SHELLS, type Shell } from '../../completion/script.ts'
import { type Command, type Group, VALUE_KINDS } from '../../context/command.ts'
import { installCompletion } from './install.ts'
import { values } from './values.ts'

export const COMPLETION_GROUP: Group = {
  name: 'completion',
  summary: 'Print or install the script with which a shell completes hermes',
}

const EXAMPLES: Readonly<Record<Shell, string>> = {
  bash: 'source <(hermes completion bash)',
  zsh: 'source <(hermes completion zsh)',
  fish: 'hermes completion fish | source',
}

/** Made from all commands, so it is given them. */
export function completionCommands(tree: () => readonly Command[], groups: () => readonly Group[]): readonly Command[] {
  const scriptOf = (shell: Shell): string => completionScript(shell, tree(), groups())
  return [
    ...SHELLS.map(
      (shell): Command => ({
        path: `completion ${shell}`,
        summary: `Print the completion script for ${shell}`,
        details: `To use it in one shell only:\n${EXAMPLES[shell]}`,
        run: () => ({ text: scriptOf(shell), json: { shell, script: scriptOf(shell) } }),
      }),
    ),
    {
      path: 'completion install',
      summary: 'Write the completion script to where the shell finds it',
      options: [
        {
          long: '--shell',
          value: 'SHELL',
          help: `shell: ${SHELLS.join(', ')}; default: the one that SHELL names`,
          completes: SHELLS,
        },
      ],
      details:
        'The script goes to a directory of the user, or of the system if root calls it. The output names the file\n' +
        'and the next step. The command replaces only a file that hermes has made. In the image, the scripts are\n' +
        'there already. After an update, run it again.',
      exits: { 0: 'written, or there already', 1: 'a file of another origin is there, or it cannot be written' },
      run: (context, input) => installCompletion(context, input, scriptOf),
    },
    {
      path: 'completion values',
      summary: 'Print what may be typed for a value, each with its description after a tab',
      arguments: [
        {
          name: 'KIND',
          help: `kind of the values: ${VALUE_KINDS.join(', ')}`,
          kind: 'required',
          choices: VALUE_KINDS,
        },
      ],
      options: [
        {
          long: '--board',
          value: 'SLUG',
          help: 'name of the board; default: HERMES_KANBAN_BOARD, else the board chosen with boards use',
        },
      ],
      details: 'The completion scripts call it. Tasks are the 200 newest open ones.',
      exits: { 1: 'they are not known, such as the services while no supervisor runs' },
      run: values,
    },
  ]
}
