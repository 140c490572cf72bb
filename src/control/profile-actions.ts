/** Creates and removes a profile together with its slot, for the command line and the dashboard. */
import { type CreateOptions, createProfile, deleteProfile } from '../profile/directory/disk.ts'
import { deleteLogs } from '../profile/directory/remove.ts'
import type { Progress } from '../profile/directory/staging.ts'
import { readDesired, writeDesired } from '../profile/state/state.ts'
import type { SlotStatus } from '../protocol/control.ts'
import { volumeUserText } from '../protocol/volume-user.ts'
import { HermesError } from '../system/errors.ts'
import { gatewaySlot, profileDir } from '../system/paths.ts'
import type { ControlClient } from './client.ts'
import { ifSupervised, registerSlot, type Supervised, startSlot, stopSlot, unregisterSlot } from './slot-actions.ts'

export interface AddOptions extends CreateOptions {
  readonly start?: boolean
  /** Wraps the part that may take long, the creation of the files, to show its progress. */
  readonly building?: (build: (watch: Pick<CreateOptions, 'progress' | 'signal'>) => Promise<string>) => Promise<string>
}

/**
 * Creates a profile, and waits for its slot if a supervisor runs.
 * @param name as parseProfileName returns it
 * @returns its directory, and its slot; `waits` instead while another container holds the volume, or while the boot
 * waits for this program; neither where no supervisor runs
 * @throws HermesError EXISTS, TIMED_OUT, VOLUME_BUSY for a start that has to wait, and what a start may throw
 */
export async function addProfile(
  supervised: Supervised,
  name: string,
  { start = false, building = (build) => build({}), ...options }: AddOptions,
): Promise<{ readonly dir: string; readonly slot?: SlotStatus; readonly waits?: 'volume' | 'boot' }> {
  const dir = await building((watch) => createProfile(supervised.home, name, { ...options, ...watch }))
  const found = await ifSupervised(supervised, async (client) => {
    try {
      const slot = await registerSlot(client, gatewaySlot(name))
      return { slot: start ? (await startSlot(supervised, client, name, {})).slot : slot }
    } catch (error) {
      if (error instanceof HermesError && error.detail === 'BOOTING') {
        // The boot reads it when it registers the slot.
        if (start) writeDesired(dir, 'running')
        return { waits: 'boot' } as const
      }
      if (!(error instanceof HermesError) || error.code !== 'VOLUME_BUSY') throw error
      if (!start) return { waits: 'volume' } as const
      throw new HermesError('VOLUME_BUSY', `${dir} was created, but its gateway was not started: ${error.message}`, {
        next: `run it there: hermes -p ${name} gateway start`,
        cause: error,
      })
    }
  })
  return { dir, ...found }
}

/**
 * Checks before a profile is removed or renamed that this container holds the volume; otherwise its gateway may run in
 * another container.
 * @throws HermesError VOLUME_BUSY
 */
export async function requireVolume(
  supervised: Pick<Supervised, 'connect'>,
  verb: string,
  name: string,
): Promise<void> {
  const busy = await ifSupervised(supervised, volumeBusy)
  if (busy === undefined) return
  throw new HermesError('VOLUME_BUSY', `"${name}" is not ${verb}: ${busy}`, {
    next: 'run the command there, or stop that container; this one then continues by itself',
  })
}

/** The container that holds the volume, while this one waits for it. */
async function volumeBusy(client: ControlClient): Promise<string | undefined> {
  const { phase, holderHost } = await client.request('status', {})
  return phase === 'waiting' ? volumeUserText(holderHost) : undefined
}

/**
 * Stops a profile's gateway and removes the profile, including its logs unless the caller keeps them.
 * @param name a profile that exists, never `default`
 */
export async function removeProfile(
  supervised: Supervised,
  name: string,
  keepLogs: boolean,
  progress?: Progress,
): Promise<void> {
  const { home } = supervised
  const done = await ifSupervised(supervised, async (client) => {
    await stopIfThere(supervised, client, name)
    await deleteProfile(home, name, progress)
    await unregisterSlot(client, gatewaySlot(name))
    return true
  })
  if (!done) await deleteProfile(home, name, progress)
  if (!keepLogs) await deleteLogs(home, name)
}

/**
 * Without a slot (its directory was moved here a moment ago), there is nothing to stop. The desired state moves with
 * the directory.
 */
export async function stopIfThere(supervised: Supervised, client: ControlClient, name: string): Promise<void> {
  try {
    await stopSlot(supervised, client, name, { keepDesired: true })
  } catch (error) {
    if (!(error instanceof HermesError) || error.code !== 'NO_SUCH_SLOT') throw error
  }
}

/**
 * The slot of a profile whose directory has arrived here; it starts if it is to run.
 * @returns `problem`: why its gateway was not started
 */
export async function addSlotOf(
  supervised: Supervised,
  name: string,
): Promise<{ readonly started: boolean; readonly problem?: string }> {
  const runs = readDesired(profileDir(supervised.home, name)).wanted === 'running'
  try {
    const done = await ifSupervised(supervised, async (client) => {
      await registerSlot(client, gatewaySlot(name))
      if (runs) await startSlot(supervised, client, name, { wait: false, keepDesired: true })
      return true
    })
    return { started: runs && done === true }
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
    return { started: false, problem: error.message }
  }
}
