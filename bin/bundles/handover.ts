// Loaded by hermes.cjs only when init has started it as the dashboard, so that other commands do not pay for it.
import { becomeUser } from '../../src/cli/terminal/drop.ts'
import { type Handed, receiveHandover } from '../../src/dashboard/settings/handover.ts'
import { loadNative } from '../../src/system/native/native-libc.ts'

export type { Handed }

/** @throws Error with one line for users */
export async function takeHandover(env: NodeJS.ProcessEnv): Promise<Handed> {
  const { native } = await loadNative()
  return receiveHandover({
    env,
    become: (identity, restricted) => {
      if (restricted) native.refuseNewPrivileges()
      becomeUser(identity, native)
      native.closeToOthers()
    },
  })
}
