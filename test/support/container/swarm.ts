import { waitFor } from '../wait.ts'
import { docker } from './engine.ts'

/** Makes the engine a swarm of one node, unless it is one, and removes what an interrupted run left. */
export async function joinSwarm(services: readonly string[]): Promise<AsyncDisposable> {
  const made = (await docker(['info', '--format', '{{.Swarm.LocalNodeState}}'])) !== 'active'
  if (made) await docker(['swarm', 'init', '--advertise-addr', '127.0.0.1'])
  await removeServices(services)
  return {
    async [Symbol.asyncDispose]() {
      await removeServices(services)
      for (const service of services)
        await waitFor(`the containers of ${service} to be gone`, async () => (await replicas(service)).length === 0, {
          deadlineMs: 60_000,
        })
      if (made) await docker(['swarm', 'leave', '--force'])
    },
  }
}

async function removeServices(services: readonly string[]): Promise<void> {
  const names = (await docker(['service', 'ls', '--format', '{{.Name}}'])).split('\n')
  const left = names.filter((name) => services.includes(name))
  if (left.length > 0) await docker(['service', 'rm', ...left])
}

/** Ids of the service's containers that pass each of the engine's filters, such as `health=healthy`. */
export async function replicas(service: string, ...filters: readonly string[]): Promise<readonly string[]> {
  const label = `label=com.docker.swarm.service.name=${service}`
  const ids = await docker(['ps', '--all', '--quiet', ...[label, ...filters].flatMap((one) => ['--filter', one])])
  return ids.split('\n').filter((id) => id !== '')
}
