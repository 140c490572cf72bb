import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inContainer } from '../container-place.ts'
import type { Found, Launch, Service, Subject } from '../subject.ts'

const root = process.getuid?.() === 0
/** The image's runtime identity. */
const UID = 10_000

/**
 * Ours, from an install tree that `node scripts/build.ts` made.
 * @param scratch where a copy of it goes: outside the checkout it takes its Node from PATH
 * @param node the directory of that Node
 * @param name `older` for a build that ours is compared with
 */
export function hermes(built: string, scratch: string, node: string, name = 'hermes'): Found {
  if (!existsSync(join(built, 'lib', 'init.cjs')))
    return { name, missing: `${built} is not a built tree (it has no lib/init.cjs): run npm run build` }
  const install = join(scratch, name)
  cpSync(built, install, { recursive: true })
  const init = join(install, 'bin', 'init')
  return {
    name,
    version: built,
    mostSlots: 1000,
    install,
    lay: (dir, services) => {
      const home = layHome(join(dir, 'home'), services)
      return {
        argv: [init],
        env: environment(home, node),
        stop: { signal: 'TERM' },
        ...commands(join(install, 'bin', 'hermes'), services),
      } satisfies Launch
    },
  }
}

/**
 * The same from an image, in containers of it.
 * @param name `older` for an image that ours is compared with
 */
export const hermesImage = (image: string, name = 'hermes'): Subject => ({
  name,
  version: image,
  mostSlots: 1000,
  place: inContainer(image, 'home'),
  lay: (dir, services) => {
    layHome(join(dir, 'home'), services)
    return {
      argv: ['/init'],
      env: { PATH: IMAGE_PATH, HERMES_HOME: '/opt/data' },
      stop: { signal: 'TERM' },
      ...commands('/opt/hermes/bin/hermes', services),
    }
  },
})

const IMAGE_PATH = '/opt/hermes/bin:/command:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const commands = (hermes: string, services: readonly Service[]) => {
  const about = (service: string, verb: string): readonly string[] => [
    hermes,
    '-p',
    service === services[0]?.name ? 'default' : service,
    'gateway',
    verb,
  ]
  return {
    status: (service: string) => about(service, 'status'),
    control: (verb: 'stop' | 'start', service: string) => about(service, verb),
  }
}

const environment = (home: string, node: string): Record<string, string> => ({
  PATH: `${node}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
  HOME: '/root',
  HERMES_HOME: home,
})

/** The first service is the default profile's gateway, the others are profiles of their own. */
function layHome(home: string, services: readonly Service[]): string {
  const own = (path: string): void => {
    if (root) chownSync(path, UID, UID)
  }
  const directory = (path: string): void => {
    mkdirSync(path, { recursive: true })
    own(path)
  }
  const file = (path: string, text: string): void => {
    writeFileSync(path, text)
    own(path)
  }
  directory(home)
  directory(join(home, 'profiles'))
  for (const [index, { name, program, stopTimeoutS }] of services.entries()) {
    const dir = index === 0 ? home : join(home, 'profiles', name)
    directory(dir)
    const stopTimeout = stopTimeoutS === undefined ? '' : `  stop_timeout: ${stopTimeoutS}s\n`
    file(join(dir, 'config.yaml'), `gateway:\n  command: [${JSON.stringify(program)}]\n${stopTimeout}`)
    file(join(dir, 'desired_state'), 'running\n')
  }
  chmodSync(home, 0o755)
  return home
}
