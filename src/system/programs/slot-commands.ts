import { profileOfSlot } from '../paths.ts'

export interface SlotCommands {
  readonly logs: string
  readonly start: string
  readonly stop: string
}

/** Returns the commands for one slot: every "next" names the log and the commands of its slot. */
export function slotCommands(slot: string): SlotCommands {
  const profile = profileOfSlot(slot)
  if (profile !== undefined) {
    const hermes = `hermes -p ${profile}`
    return { logs: `${hermes} logs`, start: `${hermes} gateway start`, stop: `${hermes} gateway stop` }
  }
  if (slot.startsWith('service-')) {
    const name = slot.slice('service-'.length)
    return {
      logs: `hermes service logs ${name}`,
      start: `hermes service start ${name}`,
      stop: `hermes service stop ${name}`,
    }
  }
  return { logs: `hermes logs ${slot}`, start: `hermes ${slot} start`, stop: `hermes ${slot} stop` }
}
