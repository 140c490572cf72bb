import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { DASHBOARD_DIR } from '../protocol/handover.ts'
import { IMAGE_RUN_DIR, isImageInstall } from '../system/programs/install.ts'

/** Written by init at each boot; its owner is init's user. */
const IDENTITY_FILE = join(IMAGE_RUN_DIR, 'identity')

/**
 * Tells whether the tokens are root's: in a container of the image whose init is root. The runtime user cannot write
 * them there, so no gateway can give itself a token.
 */
export const tokensAreRoots = (install: string, identityFile = IDENTITY_FILE): boolean =>
  isImageInstall(install) && (lstatSync(identityFile, { throwIfNoEntry: false })?.uid ?? 0) === 0

/** The file of the tokens: in root's directory, else in the volume beside the dashboard's other secrets. */
export const tokenFile = (place: { readonly install: string; readonly home: string }): string =>
  tokensAreRoots(place.install) ? join(DASHBOARD_DIR, 'tokens') : volumeTokenFile(place.home)

export const volumeTokenFile = (home: string): string => join(home, 'dashboard.tokens')
