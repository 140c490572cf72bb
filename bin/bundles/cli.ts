// Everything that is not hot; hermes.cjs loads it when it is needed.
export { commandLine } from '../../src/cli/main.ts'
