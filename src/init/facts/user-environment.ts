import type { Environment } from '../../system/programs/install.ts'

/** What npm tells its scripts besides `npm_*` (run-script, set-envs.js): where it was called, and how to colour. */
const OF_NPM = ['INIT_CWD', 'COLOR']
/** npm puts one such directory per level of the tree in front of PATH, and one with its own node-gyp. */
const IN_FRONT = /\/node_modules\/\.bin$|\/node-gyp-bin$/

/**
 * The environment of the person who typed `npm start`, which is what gateways get: with npm's variables a gateway that
 * calls npm itself obeyed this checkout's settings. Anything else is returned as it is.
 */
export function withoutNpm(env: Environment): Environment {
  if (env.npm_lifecycle_event === undefined) return env
  const isNpms = (name: string, value: string | undefined): boolean =>
    name.startsWith('npm_') ||
    OF_NPM.includes(name) ||
    (name === 'NODE' && value === env.npm_node_execpath) ||
    // npm's default; without the variable it is everybody's.
    (name === 'EDITOR' && value === 'vi')
  const kept = Object.entries(env).filter(([name, value]) => !isNpms(name, value))
  const directories = (env.PATH ?? '').split(':')
  const own = directories.findIndex((dir) => !IN_FRONT.test(dir))
  return { ...Object.fromEntries(kept), PATH: directories.slice(own === -1 ? directories.length : own).join(':') }
}
