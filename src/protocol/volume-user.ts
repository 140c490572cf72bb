/**
 * Who uses the volume, while this container waits for it.
 * @param holder as `status` has it: `instance 9f6d… on host c907…`
 * @returns `container c907… is using this volume`
 */
export function volumeUserText(holder: string | undefined): string {
  const host = / on host (\S+)$/.exec(holder ?? '')?.[1]
  return `${host === undefined ? 'another container' : `container ${host}`} is using this volume`
}

/** What the person does about it. */
export const FREE_THE_VOLUME = 'Stop it and this one continues by itself'
