/**
 * Who uses the volume, while this container waits for it.
 * @param host host name of that container, as `status` has it in `holderHost`; undefined: not known
 * @returns `container c907… is using this volume`
 */
export const volumeUserText = (host: string | undefined): string =>
  `${host === undefined ? 'another container' : `container ${host}`} is using this volume`

/** What the person does about it. */
export const FREE_THE_VOLUME = 'Stop it and this one continues by itself'
