/**
 * Names the container that uses the volume, while this one waits for it.
 * @param host host name of that container, as in `holderHost` of `status`; undefined: unknown
 * @returns `container c907… is using this volume`
 */
export const volumeUserText = (host: string | undefined): string =>
  `${host === undefined ? 'another container' : `container ${host}`} is using this volume`

/** Next step for the user. */
export const FREE_THE_VOLUME = 'Stop it and this one continues by itself'
