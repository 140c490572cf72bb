import { baseImage, hasImage } from '../../support/container/base-image.ts'
import { docker } from '../../support/container/engine.ts'
import { dockerBuildText } from '../../support/container/image.ts'
import { inContainer } from '../container-place.ts'
import type { Found } from '../subject.ts'
import type { Programs } from './programs.ts'
import { runit } from './runit.ts'
import { s6, s6WithLog } from './s6.ts'
import { supervisord } from './supervisord.ts'
import { tini } from './tini.ts'

const PACKAGES = ['s6', 'runit', 'supervisor', 'tini'] as const
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The peers and the floor, in containers of one image: our base image with Debian's packages of them. */
export async function peersInContainers(say: (line: string) => void): Promise<readonly Found[]> {
  const image = await peersImage(say)
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own way to name a field
  const query = ['dpkg-query', '--showformat', '${Package} ${Version}\n', '--show', ...PACKAGES]
  const lines = (await docker(['run', '--rm', '--network=none', image, ...query])).split('\n')
  const versions = new Map(lines.map((line) => line.split(' ') as [string, string]))
  const programs: Programs = {
    path: PATH,
    find: (name) => name,
    version: (name) => versions.get(name) ?? 'version unknown',
  }
  const place = inContainer(image)
  return [s6(programs), s6WithLog(programs), runit(programs), supervisord(programs), tini(programs)].map((found) =>
    'missing' in found ? found : { ...found, place },
  )
}

async function peersImage(say: (line: string) => void): Promise<string> {
  const base = await baseImage(say)
  const image = `hermes-bench-peers:${base.split(':')[1]}`
  if (await hasImage(image)) return image
  say(`building ${image}: ${PACKAGES.join(', ')} on ${base}`)
  await dockerBuildText(
    image,
    `FROM ${base}
RUN printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d && apt-get update -q && \
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends ${PACKAGES.join(' ')} && \
rm -rf /var/lib/apt/lists/*
`,
  )
  return image
}
