// `hermes config edit`: the program that opens an editor. Other commands do not load what it needs.
export { editFile } from '../../src/cli/terminal/editor.ts'
