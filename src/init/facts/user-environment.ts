import type { Environment } from '../../system/programs/install.ts'

/**
 * Variables that npm sets for its scripts besides `npm_*` (run-script, set-envs.js): the calling directory, and the
 * colour setting.
 */
const OF_NPM = ['INIT_CWD', 'COLOR']
/** npm puts one such directory per level of the tree in front of PATH, and one with its own node-gyp. */
const IN_FRONT = /\/node_modules\/\.bin$|\/node-gyp-bin$/

/**
 * Restores the environment of the user who typed `npm start`, which gateways get: with npm's variables, a gateway
 * that calls npm itself used this checkout's settings. Any other environment is returned unchanged.
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
